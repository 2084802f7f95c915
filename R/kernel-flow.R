# Flow of one cluster over experimental time: the numbers.

#' @include kernel-time.R kernel-cbc.R
NULL

# Checked settings, flow (steps x clusters) and sizes (clusters x times), and
# which clusters are drawn.
.singleFlow <- function(kernel, cluster, cluster_key, time_key, clusters,
                        time_points, min_flow, remove_empty_clusters,
                        call = rlang::caller_env()) {
    kernel <- .kernelOf(kernel, call = call)
    x <- .kernelContainer(kernel, call)
    cluster <- .checkString(cluster, arg = "cluster", call = call)
    labels <- .readClusters(
        x, .checkString(cluster_key, arg = "cluster_key", call = call), call
    )
    time <- .flowTime(kernel, x, time_key, call)
    all <- levels(labels)
    labels <- .flowClusters(labels, cluster, clusters, cluster_key, call)
    time$times <- .flowTimes(time$times, time_points, time$key, call)
    min_flow <- .checkNumber(min_flow, 0, arg = "min_flow", call = call)
    levels <- levels(time$times)
    if (isTRUE(kernel@backward)) levels <- rev(levels)
    out <- .native(
        .job(call = call), rs_kernel_flow, .slots(kernel@matrix),
        as.integer(labels) - 1L,
        as.integer(factor(time$times, levels, ordered = FALSE)) - 1L,
        list(
            n_clusters = nlevels(labels), n_times = length(levels),
            source = match(cluster, levels(labels)) - 1L
        )
    )
    flow <- list(
        flow = matrix(
            out$flow, ncol = nlevels(labels), byrow = TRUE,
            dimnames = list(levels[-length(levels)], levels(labels))
        ),
        sizes = matrix(
            out$sizes, nlevels(labels), byrow = TRUE,
            dimnames = list(levels(labels), levels)
        ),
        cluster = cluster, cluster_key = cluster_key, time_key = time$key,
        palette = .readColors(x, cluster_key), all = all,
        backward = isTRUE(kernel@backward)
    )
    .shownClusters(flow, min_flow, remove_empty_clusters, call)
}

# Column of time and the times in it: those of the kernel by default.
.flowTime <- function(kernel, x, time_key, call) {
    .checkString(time_key, null = TRUE, arg = "time_key", call = call)
    if (is.null(time_key)) {
        keys <- unique(unlist(lapply(.leaves(kernel), function(leaf) {
            if (methods::is(leaf, "ExperimentalTimeKernel")) leaf@init$time_key
        })))
        if (length(keys) != 1L) {
            .abort(
                "missing_key", paste0(
                    "A `", class(kernel)[1L], "` does not say which column ",
                    "holds experimental time."
                ), "Name it with `time_key`.", key = "time_key", call = call
            )
        }
        time_key <- keys
    }
    list(key = time_key, times = .readExperimentalTime(x, time_key, call))
}

# Cells outside `clusters` and `cluster` belong to none.
.flowClusters <- function(labels, cluster, clusters, column, call) {
    .knownClusters(cluster, labels, column, call)
    if (!is.null(clusters)) {
        clusters <- unique(as.character(clusters))
        .knownClusters(clusters, labels, column, call)
        clusters <- unique(c(clusters, cluster))
        labels <- factor(labels, levels = clusters)
    }
    if (nlevels(labels) < 2L) {
        .abort(
            "range", paste0(
                "A flow needs at least 2 clusters, not ",
                .someNames(levels(labels)), " alone."
            ), argument = "clusters", n = nlevels(labels), call = call
        )
    }
    labels
}

.flowTimes <- function(times, points, column, call) {
    if (is.null(points)) return(times)
    numbers <- .timeNumbers(levels(times))
    wanted <- as.character(points)
    at <- match(suppressWarnings(as.numeric(wanted)), numbers)
    if (anyNA(at)) {
        .missingKey(
            "time", wanted[is.na(at)], levels(times), paste0(
                "Times are the values of `", column, "`."
            ), call
        )
    }
    at <- sort(unique(at))
    if (length(at) < 2L) {
        .abort(
            "range", paste0(
                "A flow needs at least 2 times; `time_points` has ",
                length(at), "."
            ), argument = "time_points", n = length(at), call = call
        )
    }
    factor(times, levels = levels(times)[at], ordered = TRUE)
}

.shownClusters <- function(flow, min_flow, remove_empty_clusters, call) {
    .checkFlag(
        remove_empty_clusters, arg = "remove_empty_clusters", call = call
    )
    shown <- colSums(flow$flow > min_flow) > 0
    if (!any(shown)) {
        .abort(
            "range", paste0(
                "No flow out of `", flow$cluster, "` is above `min_flow` = ",
                format(min_flow), "; the largest is ",
                format(max(flow$flow), digits = 3), "."
            ), "Lower `min_flow`, or choose another cluster or other times.",
            argument = "min_flow", value = min_flow, largest = max(flow$flow),
            call = call
        )
    }
    if (!remove_empty_clusters) shown[] <- TRUE
    # Flows begin there.
    shown[flow$cluster] <- TRUE
    flow$flow <- flow$flow[, shown, drop = FALSE]
    flow$sizes <- flow$sizes[shown, , drop = FALSE]
    flow$min_flow <- min_flow
    flow
}

# ---- Places ----

# Clusters from bottom to top: the others below and above the source in turns,
# by their flow, or (NULL) in two halves in the order they have.
.flowOrder <- function(flow, ascending) {
    others <- setdiff(colnames(flow$flow), flow$cluster)
    n <- length(others)
    if (is.null(ascending)) {
        half <- seq_len(n %/% 2L)
        return(c(others[half], flow$cluster, others[setdiff(
            seq_len(n), half
        )]))
    }
    total <- colSums(flow$flow[, others, drop = FALSE])
    others <- others[order(
        if (ascending) total else -total, method = "radix"
    )]
    below <- others[seq_len(n) %% 2L == 1L]
    above <- others[seq_len(n) %% 2L == 0L]
    c(rev(below), flow$cluster, above)
}

# Times from 0 in units of the smallest gap; against time for backward kernels.
.flowPlaces <- function(levels) {
    numbers <- .timeNumbers(sort(as.numeric(levels)))
    at <- as.numeric(levels)
    stats::setNames(
        abs(at - at[1L]) / min(diff(numbers)), levels
    )
}

# Middle of each band: the widest two neighbours just fit, with a gap between.
.flowOffsets <- function(sizes, order, gap = 0.2) {
    sizes <- sizes[order, , drop = FALSE]
    n <- nrow(sizes)
    step <- vapply(seq_len(n)[-1L], function(k) {
        gap + max(sizes[k, ] + sizes[k - 1L, ])
    }, 1)
    stats::setNames(cumsum(c(0, step)), order)
}

# Half the height of a band at up to 100 points per unit of time: sizes joined
# by lines and smoothed, without steps against outliers, since there are none.
.flowBand <- function(place, size) {
    n <- min(1L + 100L * ceiling(max(place)), 5000L)
    x <- seq(0, max(place), length.out = n)
    y <- stats::approx(place, size, x)$y
    list(x = x, half = pmax(0, stats::lowess(x, y, f = 0.3, iter = 0L)$y))
}
