# Points and costs for the core.

# `points`: blocks of cells x dimensions; `costs`: matrices of sources x
# targets; `at`: for each pair the positions of its source and target points and
# of its cost in them, 0 for none.
.transportInput <- function(x, cells, cost, job, how) {
    if (!is.null(cost) && !is.function(cost)) {
        costs <- .givenCosts(cost, cells, job$call)
        return(list(
            points = list(), costs = lapply(costs, .transportBlock),
            at = lapply(seq_along(costs), function(k) c(0L, 0L, k))
        ))
    }
    input <- if (is.null(how$use_rep)) {
        .localPoints(x, cells, how, job)
    } else {
        .sharedPoints(x, cells, how, job$call)
    }
    if (is.function(cost)) {
        costs <- lapply(seq_along(cells), function(k) {
            points <- input$points[input$at[[k]][1:2]]
            .calledCost(cost, points[[1L]], points[[2L]], cells[[k]], job$call)
        })
        return(list(
            points = list(), costs = lapply(costs, .transportBlock),
            at = lapply(seq_along(costs), function(k) c(0L, 0L, k))
        ))
    }
    input$points <- lapply(input$points, .transportBlock)
    input
}

.transportBlock <- function(m) list(m, nrow(m), ncol(m))

# One block of points for each time.
.sharedPoints <- function(x, cells, how, call) {
    what <- paste0("The embedding `", how$use_rep, "`")
    m <- .readEmbedding(x, how$use_rep, how$experiment)
    m <- .checkEmbedding(m, what, call = call)
    rownames(m) <- .cellNames(x)
    m <- m[, seq_len(min(how$n_pcs, ncol(m))), drop = FALSE]
    sides <- unlist(lapply(cells, `[`, c("source", "target")), FALSE)
    blocks <- unique(unname(sides))
    position <- match(unname(sides), blocks)
    points <- lapply(blocks, function(b) unname(m[b, , drop = FALSE]))
    at <- lapply(seq_along(cells), function(k) c(position[2 * k - 1:0], 0L))
    list(points = points, costs = list(), at = at)
}

# Two blocks of points for each pair: scores of a PCA of its cells.
.localPoints <- function(x, cells, how, job) {
    m <- .readAssay(x, how$assay, experiment = how$experiment)
    points <- lapply(cells, function(k) {
        both <- c(k$source, k$target)
        scores <- .localScores(m[, both, drop = FALSE], how, job)
        n <- length(k$source)
        list(
            scores[seq_len(n), , drop = FALSE],
            scores[-seq_len(n), , drop = FALSE]
        )
    })
    list(
        points = unlist(points, FALSE), costs = list(),
        at = lapply(seq_along(cells), function(k) c(2L * k - 1:0, 0L))
    )
}

.localScores <- function(m, how, job) {
    if (nrow(m) <= how$local_pca) {
        scores <- t(.dense(m, "The assay", job$call))
    } else {
        m <- .inMemory(m, "The assay", job$call)
        n_components <- min(how$local_pca, ncol(m) - 1L)
        out <- .native(
            job, rs_embed_pca, .matrixArg(m), n_components, FALSE, how$seed,
            cell_names = colnames(m)
        )
        scores <- matrix(out$scores, ncol(m))
    }
    rownames(scores) <- colnames(m)
    unname(.checkEmbedding(scores, "The assay", call = job$call))
}

# Costs that the user computed, in the order of the pairs and of the cells.
.givenCosts <- function(cost, cells, call) {
    names <- vapply(cells, `[[`, "", "name")
    if (!is.list(cost) || is.data.frame(cost)) {
        cost <- if (length(cells) == 1L) {
            stats::setNames(list(cost), names)
        } else {
            .badType(
                cost, paste0(
                    "a list of matrices named ", .someNames(names)
                ), TRUE, "cost", call
            )
        }
    }
    if (is.null(names(cost)) && length(cost) == length(cells)) {
        names(cost) <- names
    }
    gone <- setdiff(names, names(cost))
    if (length(gone)) {
        .missingKey("cost of the pair", gone, names(cost), call = call)
    }
    lapply(cells, function(k) .checkCost(cost[[k$name]], k, call))
}

# Costs from a function, block of source cells by block.
.calledCost <- function(cost, x, y, cells, call) {
    size <- c(nrow(x), nrow(y))
    bytes <- 12 * prod(as.double(size))
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes > limit) {
        .abort(
            "memory", paste0(
                "The costs of `", cells$name, "` (", size[1L], " x ", size[2L],
                " cells) need ", format(bytes / 2^30, digits = 3),
                " GiB, more than the limit of ",
                format(limit / 2^30, digits = 3), " GiB."
            ), paste(
                "Use squared distances (`cost = NULL`), or raise",
                "options(fatecast.memory_limit = <bytes>)."
            ), bytes = bytes, limit = limit, call = call
        )
    }
    out <- matrix(0, size[1L], size[2L])
    for (start in seq(1L, size[1L], by = 1024L)) {
        rows <- start:min(start + 1023L, size[1L])
        tile <- cost(x[rows, , drop = FALSE], y)
        if (!identical(dim(tile), c(length(rows), size[2L]))) {
            .abort(
                "shape", paste0(
                    "`cost` must return a matrix of ", length(rows), " x ",
                    size[2L], " for that many points, not ",
                    .describe(tile), "."
                ), argument = "cost", dim = dim(tile), call = call
            )
        }
        out[rows, ] <- as.matrix(tile)
    }
    .checkCost(out, cells, call)
}

.checkCost <- function(m, cells, call) {
    what <- paste0("The cost of `", cells$name, "`")
    numeric <- length(dim(m)) == 2L && !is.data.frame(m) &&
        (is.numeric(m) || methods::is(m, "dMatrix"))
    if (!numeric) {
        .abort("type", paste0(
            what, " must be a numeric matrix, not ", .describe(m), "."
        ), argument = "cost", call = call)
    }
    m <- .couplingOrder(.plainMatrix(m), cells, what, call)
    bad <- sum(is.na(m) | m < 0)
    if (bad) {
        .abort(
            "range", paste0(
                what, " has ", bad, " entries that are",
                " negative or missing."
            ), argument = "cost", count = bad, call = call
        )
    }
    alone <- c(
        cells$source[rowSums(is.finite(m)) == 0],
        cells$target[colSums(is.finite(m)) == 0]
    )
    if (length(alone)) {
        .abort(
            "range", paste0(
                what, " leaves ", .count(length(alone), "cell"),
                " without any finite cost: ", .someNames(alone), "."
            ), argument = "cost", cells = alone, call = call
        )
    }
    unname(m)
}

# A matrix of source x target cells in the order of the object.
.couplingOrder <- function(m, cells, what, call) {
    size <- c(length(cells$source), length(cells$target))
    if (!identical(dim(m), size)) {
        .abort(
            "shape", paste0(
                what, " must have ", size[1L], " x ", size[2L], " cells, not ",
                nrow(m), " x ", ncol(m), "."
            ), dim = dim(m), expected = size, call = call
        )
    }
    rows <- if (!is.null(rownames(m))) {
        .matchCells(rownames(m), cells$source, what, call)
    }
    columns <- if (!is.null(colnames(m))) {
        .matchCells(colnames(m), cells$target, what, call)
    }
    if (!is.null(rows)) m <- m[rows, , drop = FALSE]
    if (!is.null(columns)) m <- m[, columns, drop = FALSE]
    m
}

# Pairs as the core takes them.
.transportTasks <- function(input, cells, growth, steps) {
    lapply(seq_along(cells), function(k) {
        at <- input$at[[k]]
        list(
            source = at[1L], target = at[2L], cost = at[3L],
            growth = unname(growth[cells[[k]]$source]), delta_t = steps[k]
        )
    })
}
