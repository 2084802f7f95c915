# Groups of cells that are fitted by themselves, and the two ways to run a fit:
# all genes in one go, or first which genes, then these alone.

#' @include velocity-data.R
NULL

# NULL for one fit of all cells; else `cells` (per group its cells and those the
# line is fitted to, counted from 0), `codes` (the group of each cell, 0 for
# none), and `levels` if each level has a fit of its own.
.velocityGroups <- function(x, settings, call) {
    by <- settings$groupby
    asked <- c(groups = "groups", groups_for_fit = "groups_for_fit")
    asked <- asked[!vapply(settings[asked], is.null, logical(1))]
    if (is.null(by)) {
        if (length(asked)) .abort(
            "range", paste0(
                "`", asked[1L], "` names levels of a column: `groupby` must ",
                "say of which."
            ), argument = "groupby", call = call
        )
        return(NULL)
    }
    labels <- as.factor(.readCellData(x, by))
    for (name in asked) .checkLevels(settings[[name]], labels, name, by, call)
    fit <- if (!is.null(settings$groups_for_fit)) {
        labels %in% as.character(settings$groups_for_fit)
    }
    each <- !length(asked)
    inside <- if (each) {
        lapply(levels(labels), function(level) labels %in% level)
    } else if (is.null(settings$groups)) {
        list(rep(TRUE, length(labels)))
    } else {
        list(labels %in% as.character(settings$groups))
    }
    names(inside) <- if (each) levels(labels)
    .checkGroupSizes(inside, fit, by, call)
    .warnOutside(Reduce(`|`, inside), .cellNames(x))
    list(
        cells = unname(lapply(inside, function(cells) list(
            cells = which(cells) - 1L,
            fit = if (!is.null(fit)) which(cells & fit) - 1L
        ))),
        codes = Reduce(`+`, Map(
            function(cells, k) as.integer(cells) * k, inside, seq_along(inside)
        )),
        levels = names(inside)
    )
}

.checkLevels <- function(chosen, labels, arg, by, call) {
    unknown <- setdiff(as.character(chosen), levels(labels))
    if (length(unknown)) {
        .abort(
            "unknown_argument", paste0(
                "`", arg, "` names ", .someNames(unknown),
                ", which the column `", by, "` does not hold; there is ",
                .someNames(levels(labels), 20L), "."
            ), .suggest(unknown[1L], levels(labels)),
            argument = arg, value = unknown, known = levels(labels),
            call = call
        )
    }
}

# A line needs two cells.
.checkGroupSizes <- function(inside, fit, by, call) {
    count <- vapply(inside, function(cells) {
        sum(if (is.null(fit)) cells else cells & fit)
    }, numeric(1))
    if (all(count >= 2)) {
        return(invisible())
    }
    small <- if (is.null(names(inside))) {
        "the groups chosen"
    } else {
        .someNames(names(inside)[count < 2])
    }
    .abort(
        "range", paste0(
            "A fit needs at least two cells; ", small, " of the column `", by,
            "` have fewer."
        ), "Merge these levels with others, or leave them out with `groups`.",
        levels = names(inside)[count < 2], count = unname(count[count < 2]),
        call = call
    )
}

.warnOutside <- function(inside, cells) {
    if (all(inside)) {
        return(invisible())
    }
    .warn("dropped", paste0(
        .count(sum(!inside), "cell"), " in no group get velocity 0, so that a ",
        "velocity kernel moves them to all neighbours alike: ",
        .someNames(cells[!inside]), "."
    ), cells = cells[!inside])
}

# ---- Which genes ----

# Selected genes per group (genes x groups): those that pass or, when fewer than
# two do, the best fitted ones.
.selectGenes <- function(found, settings, levels, call) {
    chosen <- found$selected
    fallback <- logical(ncol(chosen))
    for (g in seq_len(ncol(chosen))) {
        where <- if (!is.null(levels)) paste0(" in `", levels[g], "`")
        n <- sum(chosen[, g])
        if (n < 2L) {
            best <- .unwrap(rs_velocity_best(found$r2[, g]), call = call)
            chosen[, g] <- best$genes
            fallback[g] <- TRUE
            .warn("fallback", paste0(
                "Only ", .count(n, "gene"), " passed the thresholds", where,
                "; those with an r2 above ",
                format(round(best$threshold, 4L)), " are taken instead."
            ), threshold = best$threshold, n_genes = n)
        }
        n <- sum(chosen[, g])
        if (n < 10L) {
            .warn("dropped", paste0(
                "Only ", .count(n, "velocity gene"), where, " of ",
                nrow(chosen), " could be selected."
            ), "Lower `min_r2`, or look at the counts.", n_genes = n)
        }
    }
    list(genes = chosen, fallback = fallback)
}

# Genes that the second stage fits again: the selected ones, or all if none is.
.refitGenes <- function(chosen) {
    chosen[, colSums(chosen) == 0] <- TRUE
    chosen
}

# ---- The two ways ----

# Names of the results by what they are, and room for them.
.velocityRoom <- function(data, settings, job, genes) {
    what <- c(
        if (is.null(data$moments) && !data$use_raw) .keyMoments, "velocity",
        if (settings$mode == "stochastic") "variance"
    )
    .denseResults(what, genes, colnames(data$matrices[[1L]]), job$call)
}

.estimateAll <- function(data, settings, job) {
    stochastic <- settings$mode == "stochastic"
    fit <- .fitArg(settings, data, stochastic)
    out <- .velocityRoom(data, settings, job, rownames(data$matrices[[1L]]))
    found <- .estimateGenes(job, data, fit, out)
    chosen <- .selectGenes(found, settings, data$groups$levels, job$call)
    again <- .refitGenes(chosen$genes)
    if (stochastic && !identical(again, found$selected)) {
        found <- .estimateGenes(job, data, fit, out, again)
    }
    list(data = data, out = out, found = found, chosen = chosen)
}

# First the deterministic stage without results, then the selected genes alone.
.estimateSelected <- function(data, settings, job) {
    stochastic <- settings$mode == "stochastic"
    first <- .estimateGenes(job, data, .fitArg(settings, data, FALSE))
    chosen <- .selectGenes(first, settings, data$groups$levels, job$call)
    genes <- which(rowSums(chosen$genes) > 0)
    if (!length(genes) && settings$filter_genes) {
        .abort(
            "no_state", "No gene is fitted well enough to be a velocity gene.",
            "Lower `min_r2`, or use `filter_genes = FALSE`.", call = job$call
        )
    }
    if (!length(genes)) genes <- seq_len(nrow(chosen$genes))[0L]
    some <- .someGenes(data, genes)
    out <- .velocityRoom(
        some, settings, job, rownames(data$matrices[[1L]])[genes]
    )
    again <- .refitGenes(chosen$genes)[genes, , drop = FALSE]
    found <- first
    if (length(genes)) {
        second <- .estimateGenes(
            job, some, .fitArg(settings, some, stochastic), out, again
        )
        for (field in c("gamma", "offset", "offset2", "degenerate")) {
            found[[field]][genes, ] <- second[[field]]
        }
    }
    list(data = some, out = out, found = found, chosen = chosen, genes = genes)
}

.someGenes <- function(data, genes) {
    pick <- function(m) m[genes, , drop = FALSE]
    data$matrices <- lapply(data$matrices, pick)
    if (!is.null(data$moments)) data$moments <- lapply(data$moments, pick)
    data$allowed <- data$allowed[genes]
    data
}
