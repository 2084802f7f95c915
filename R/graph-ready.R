# Neighbours that are given: lists of another program, or distances.

#' @include graph-neighbors.R
NULL

# What `buildNeighbors()` makes of given neighbours, as `.searchNeighbors()`.
.takeNeighbors <- function(job, x, transformer, distances, settings) {
    cells <- .cellNames(x)
    from_list <- settings$given == "transformer"
    out <- if (from_list) {
        ready <- .readyNeighbors(transformer, cells, job$call)
        k <- settings$n_neighbors
        if (k > 0L) k <- .usableNeighbors(k, length(cells), job$call)
        .native(
            job, rs_graph_ready, ready$indices, ready$distances,
            length(cells), ncol(ready$indices), k, settings$method,
            cell_names = cells, advice = .readyAdvice
        )
    } else {
        m <- .givenDistances(distances, cells, job$call)
        k <- .usableNeighbors(settings$n_neighbors, length(cells), job$call)
        .native(
            job, rs_graph_distances, .slots(m), k, settings$method,
            cell_names = cells, advice = .readyAdvice
        )
    }
    given <- if (from_list) {
        list(transformer = transformer)
    } else {
        list(distances = distances)
    }
    params <- c(list(
        n_neighbors = out$n_neighbors, knn = TRUE, method = settings$method,
        metric = if (settings$stated_metric) settings$metric
    ), given)
    list(out = out, names = cells, params = params, run = .run(job))
}

.readyAdvice <- paste(
    "Each cell needs `n_neighbors - 1` neighbours besides itself, with finite",
    "distances; ask for fewer with `n_neighbors`."
)

# Arguments without a meaning when nothing is searched.
.warnIgnored <- function(settings, stated) {
    about <- c(
        "n_pcs", "use_rep", "metric_kwds", "random_state", "assay",
        "experiment", "report_recall"
    )
    ignored <- intersect(about, stated)
    if (length(ignored)) {
        .warn("replaced_argument", paste0(
            "Neighbours are given in `", settings$given, "`: ",
            .someNames(ignored, length(ignored)),
            if (length(ignored) > 1L) " are" else " is", " ignored."
        ), argument = ignored)
    }
}

# Matrices of indices (integer) and distances of a list, however named.
.readyNeighbors <- function(list, cells, call) {
    pick <- function(names) {
        at <- match(names, names(list))
        list[[at[!is.na(at)][1L]]]
    }
    known <- list(c("index", "idx", "indices"), c("distance", "dist",
        "distances"))
    there <- vapply(known, function(n) any(n %in% names(list)), logical(1))
    if (!all(there)) {
        .abort(
            "type", paste0(
                "A list of neighbours must hold `index` and `distance` ",
                "(or `idx` and `dist`), not ", .someNames(names(list)), "."
            ), argument = "transformer", call = call
        )
    }
    indices <- .readyMatrix(pick(known[[1L]]), "indices", cells, call)
    distances <- .readyMatrix(pick(known[[2L]]), "distances", cells, call)
    if (any(indices != round(indices), na.rm = TRUE)) {
        .abort(
            "range", "The neighbour indices in `transformer` must be whole.",
            argument = "transformer", call = call
        )
    }
    # Beyond the integers is out of range as a missing value is.
    indices[abs(indices) > .Machine$integer.max] <- NA
    storage.mode(indices) <- "integer"
    list(indices = indices, distances = distances)
}

.readyMatrix <- function(m, what, cells, call) {
    what <- paste0("The neighbour ", what, " in `transformer`")
    if (!is.matrix(m) || !(is.numeric(m) || is.logical(m))) {
        .abort(
            "type", paste0(
                what, " must be a numeric matrix, not ", .describe(m), "."
            ), argument = "transformer", call = call
        )
    }
    if (nrow(m) != length(cells) || !ncol(m)) {
        .abort(
            "shape", paste0(
                what, " are ", nrow(m), " x ", ncol(m),
                ", but there are ", .count(length(cells), "cell"), "."
            ), dim = dim(m), n_cells = length(cells), call = call
        )
    }
    if (!is.null(rownames(m))) {
        .checkNames(cells, rownames(m), paste0("The cells and ", tolower(
            substr(what, 1L, 1L)
        ), substring(what, 2L)), call = call)
    }
    .plainMatrix(m)
}

# A matrix of distances as dgCMatrix in the order of the cells. Of a dense one
# all entries are distances, zeros too.
.givenDistances <- function(distances, cells, call) {
    if (inherits(distances, "dist")) {
        # Without labels as.matrix() makes numbers up.
        labels <- attr(distances, "Labels")
        distances <- as.matrix(distances)
        dimnames(distances) <- list(labels, labels)
    }
    if (is.matrix(distances) &&
        (is.numeric(distances) || is.logical(distances))) {
        n <- dim(distances)
        if (prod(as.double(n)) > .Machine$integer.max) {
            .abort(
                "memory", paste0(
                    "A dense matrix of distances of ", n[1L], " cells is too ",
                    "large."
                ), "Give a sparse matrix of the nearest ones.", call = call
            )
        }
        distances <- methods::new(
            "dgCMatrix",
            i = rep.int(seq_len(n[1L]) - 1L, n[2L]),
            p = as.integer(n[1L] * (seq_len(n[2L] + 1L) - 1L)),
            x = as.double(distances), Dim = n,
            Dimnames = if (is.null(dimnames(distances))) {
                list(NULL, NULL)
            } else {
                dimnames(distances)
            }
        )
    }
    .cellGraph(distances, cells, "`distances`", call = call)
}
