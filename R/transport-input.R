# What computeCouplings() reads and checks before any work.

.transportSettings <- function(epsilon, lambda1, lambda2, growth_iters,
                               scale_cost, threshold, tolerance, max_iter,
                               n_groups, keep_potentials, random_state,
                               call = rlang::caller_env()) {
    positive <- function(v, arg, max = Inf, open = TRUE) {
        .checkNumber(
            v, 0, max, open_min = TRUE, open_max = open, arg = arg, call = call
        )
    }
    scale <- if (is.numeric(scale_cost)) {
        list("fixed", positive(scale_cost, "scale_cost"))
    } else {
        list(.checkChoice(
            scale_cost, c("median", "mean", "max"), call = call
        ), 0)
    }
    kept <- .transportThreshold(threshold, call)
    list(
        epsilon = positive(epsilon, "epsilon"),
        lambda1 = positive(lambda1, "lambda1", open = FALSE),
        lambda2 = positive(lambda2, "lambda2", open = FALSE),
        growth_iters = .checkCount(growth_iters, 1, 1000, call = call),
        scale = scale[[1L]], scale_value = scale[[2L]],
        threshold = kept[[1L]], threshold_value = kept[[2L]],
        tolerance = .checkNumber(
            tolerance, 1e-13, 1, open_max = TRUE, call = call
        ),
        max_iter = .checkCount(max_iter, 1, .Machine$integer.max, call = call),
        n_groups = .checkCount(n_groups, 0, 1000, call = call),
        keep_potentials = .checkFlag(keep_potentials, call = call),
        sample_above = 1e9,
        seed = .seed(random_state, call = call)
    )
}

# Name of the rule and its number.
.transportThreshold <- function(threshold, call) {
    if (is.null(threshold)) return(list("none", 0))
    if (is.numeric(threshold) && identical(names(threshold), "row_mass")) {
        return(list("row_mass", .checkNumber(
            unname(threshold), 0, 1, open_min = TRUE,
            arg = "threshold[\"row_mass\"]", call = call
        )))
    }
    if (is.numeric(threshold)) {
        return(list("percentile", .checkNumber(
            threshold, 0, 100, arg = "threshold", call = call
        )))
    }
    list(.checkChoice(
        threshold, c("auto", "auto_local"), null = TRUE, arg = "threshold",
        call = call
    ), 0)
}

# The time of each cell, a factor with used levels only.
.transportTimes <- function(x, key, call = rlang::caller_env()) {
    time <- .readCellData(x, key)
    if (!is.factor(time)) {
        .abort(
            "type", paste0(
                "`", key, "` must be a factor whose levels are in order of ",
                "time, not of class `", class(time)[1L], "`."
            ), paste0(
                "Turn the column into one with factor(), which sorts the ",
                "values."
            ), key = key, call = call
        )
    }
    bad <- which(is.na(time))
    if (length(bad)) {
        cells <- .cellNames(x)[bad]
        .abort(
            "range", paste0(
                "`", key, "` is missing in ", .count(length(bad), "cell"),
                ": ", .someNames(cells), "."
            ), key = key, cells = cells, call = call
        )
    }
    time <- droplevels(time)
    if (nlevels(time) < 2L) {
        .abort(
            "range", paste0(
                "`", key, "` must hold at least two times, not ",
                nlevels(time), "."
            ), key = key, value = nlevels(time), call = call
        )
    }
    time
}

# Data frame of source and target, level names.
.transportPairs <- function(levels, policy, pairs,
                            call = rlang::caller_env()) {
    n <- length(levels)
    if (is.null(pairs)) {
        at <- if (policy == "sequential") {
            cbind(seq_len(n - 1L), seq_len(n - 1L) + 1L)
        } else {
            which(upper.tri(diag(n)), arr.ind = TRUE)
        }
        at <- at[order(at[, 1L], at[, 2L]), , drop = FALSE]
        return(data.frame(source = levels[at[, 1L]], target = levels[at[, 2L]]))
    }
    if (length(dim(pairs)) != 2L || ncol(pairs) != 2L || !nrow(pairs)) {
        .badType(
            pairs, "a data frame or matrix with the columns source and target",
            TRUE, "pairs", call
        )
    }
    pairs <- data.frame(
        source = as.character(pairs[, 1L]), target = as.character(pairs[, 2L])
    )
    unknown <- setdiff(unlist(pairs), levels)
    if (length(unknown)) {
        .missingKey("time", unknown, levels, call = call)
    }
    wrong <- match(pairs$source, levels) >= match(pairs$target, levels)
    wrong <- wrong | duplicated(pairs)
    if (any(wrong)) {
        named <- paste0(pairs$source[wrong], " -> ", pairs$target[wrong])
        .abort(
            "range", paste0(
                "Each of the `pairs` must come once and lead to a later ",
                "time; not so: ", .someNames(named), "."
            ), argument = "pairs", pairs = named, call = call
        )
    }
    pairs
}

# Time between source and target of each pair.
.transportSteps <- function(pairs, delta_t, call = rlang::caller_env()) {
    if (is.null(delta_t)) {
        number <- function(v) suppressWarnings(as.numeric(v))
        delta_t <- number(pairs$target) - number(pairs$source)
        if (!anyNA(delta_t) && all(delta_t > 0)) return(delta_t)
        .abort(
            "range", paste0(
                "The levels of the time are no ascending numbers (",
                .someNames(unique(unlist(pairs))), "), so the time between ",
                "them is not known."
            ), "Give it as `delta_t`, for example `delta_t = 1`.",
            argument = "delta_t", call = call
        )
    }
    if (!is.numeric(delta_t) || !length(delta_t) %in% c(1L, nrow(pairs))) {
        .badType(
            delta_t, paste0("one number, or one for each of ", nrow(pairs),
                " pairs"), TRUE, "delta_t", call
        )
    }
    delta_t <- rep_len(as.double(delta_t), nrow(pairs))
    bad <- !is.finite(delta_t) | delta_t <= 0
    if (any(bad)) {
        .abort(
            "range", paste0(
                "`delta_t` must be positive, not ", delta_t[bad][1L], "."
            ), argument = "delta_t", value = delta_t[bad][1L], call = call
        )
    }
    delta_t
}

# Growth rate of each cell of the object.
.transportGrowth <- function(x, key, call = rlang::caller_env()) {
    cells <- .cellNames(x)
    if (is.null(key)) return(stats::setNames(rep(1, length(cells)), cells))
    growth <- .readCellData(x, key)
    if (!is.numeric(growth)) {
        .abort(
            "type", paste0(
                "`", key, "` must be numeric to be a growth rate, not of ",
                "class `", class(growth)[1L], "`."
            ), key = key, call = call
        )
    }
    stats::setNames(as.double(growth), cells)
}

# Those of source cells must be usable.
.checkGrowth <- function(growth, cells, key, call = rlang::caller_env()) {
    sources <- unique(unlist(lapply(cells, `[[`, "source")))
    used <- growth[sources]
    bad <- sources[!is.finite(used) | used <= 0]
    if (length(bad)) {
        .abort(
            "range", paste0(
                "The growth rate `", key, "` must be positive and finite in ",
                "every source cell; it is not in ",
                .count(length(bad), "cell"), ": ", .someNames(bad), "."
            ), "Use 1 where nothing is known.",
            key = key, cells = bad, count = length(bad), call = call
        )
    }
    invisible(growth)
}

# Names of the source and target cells of each pair.
.transportCells <- function(names, time, pairs) {
    at <- split(names, time)
    lapply(seq_len(nrow(pairs)), function(k) {
        list(
            source = at[[pairs$source[k]]], target = at[[pairs$target[k]]],
            name = paste0(pairs$source[k], "_", pairs$target[k])
        )
    })
}

# All entries are kept only if they fit.
.checkKeptEntries <- function(cells, settings, call = rlang::caller_env()) {
    if (settings$threshold != "none") return(invisible())
    each <- vapply(cells, function(k) {
        as.double(length(k$source)) * length(k$target)
    }, numeric(1))
    bytes <- 12 * (sum(each) + max(each))
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes > limit || any(each > .Machine$integer.max)) {
        .abort(
            "memory", paste0(
                "All entries of the couplings (", format(sum(each)),
                ") need ", format(bytes / 2^30, digits = 3), " GiB; the limit ",
                "is ", format(limit / 2^30, digits = 3), " GiB and ",
                .Machine$integer.max, " entries per coupling."
            ), paste(
                "Choose a `threshold`, or raise",
                "options(fatecast.memory_limit = <bytes>)."
            ), bytes = bytes, limit = limit, entries = sum(each), call = call
        )
    }
}

.warnTransport <- function(cells, growth, steps, settings) {
    few <- Filter(function(k) {
        min(length(k$source), length(k$target)) < 30L
    }, cells)
    if (length(few)) {
        named <- vapply(few, `[[`, "", "name")
        .warn("unreliable", paste0(
            "There are fewer than 30 cells at a time of the couplings ",
            .someNames(named), "."
        ), pairs = named)
    }
    if (settings$lambda1 < 10 * settings$epsilon) {
        .warn(
            "unreliable", paste0(
                "`lambda1` (", settings$lambda1, ") is below ten times ",
                "`epsilon` (", settings$epsilon, "): numbers of descendants ",
                "are decided by the regularisation."
            ), argument = "lambda1", value = settings$lambda1
        )
    }
    large <- sum(vapply(cells, function(k) {
        as.double(length(k$source)) * length(k$target)
    }, numeric(1)))
    if (large > settings$sample_above) {
        .inform(paste0(
            format(large, digits = 3), " pairs of cells: about ",
            signif(large * 4e-9 / 60, 2), " core-minutes per iteration."
        ))
    }
    for (k in seq_along(cells)) {
        range <- range(growth[cells[[k]]$source])
        spread <- (range[2L] / range[1L])^steps[k]
        if (spread > 1e4) {
            .warn("unreliable", paste0(
                "The expected numbers of descendants of the coupling `",
                cells[[k]]$name, "` differ by a factor of ",
                signif(spread, 3), "."
            ), pairs = cells[[k]]$name, value = spread)
        }
    }
}
