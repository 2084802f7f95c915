# Arrows of cells, on a grid and along stream lines: the numbers of the figure.

#' @rdname plotProjection
#' @include kernel-projection.R
#' @export
plotProjectionData <- function(x, basis = "umap",
                               mode = c("stream", "grid", "cells"),
                               density = NULL, smooth = 0.5,
                               n_neighbors = NULL, min_mass = 1,
                               cutoff_perc = 5, components = c(1, 2),
                               key = NULL, key_added = NULL, recompute = FALSE,
                               connectivities = NULL, n_threads = NULL,
                               show_progress_bar = NULL, ...) {
    .checkDots(...)
    mode <- .checkChoice(mode, c("stream", "grid", "cells"))
    options <- .flowOptions(
        mode, density, smooth, n_neighbors, min_mass, cutoff_perc
    )
    job <- .job(n_threads, show_progress_bar, "Projection")
    read <- .readProjection(
        x, basis, components, key, key_added, recompute, connectivities, job
    )
    .flow(read, mode, options, job)
}

.flowOptions <- function(mode, density, smooth, n_neighbors, min_mass,
                         cutoff_perc, call = rlang::caller_env()) {
    if (is.null(density)) density <- if (mode == "stream") 2 else 1
    density <- .checkNumber(
        density, 0, 100, open_min = TRUE, arg = "density", call = call
    )
    points <- if (mode == "grid") floor(50 * density) else 50
    if (points < 2) {
        .abort(
            "range", paste0(
                "`density` = ", density, " leaves fewer than two grid points ",
                "along an axis; it must be at least 0.04."
            ), argument = "density", value = density, call = call
        )
    }
    list(
        points = as.integer(points), density = density, max_length = 4,
        smooth = .checkNumber(smooth, 0, open_min = TRUE, call = call),
        n_neighbors = .checkCount(n_neighbors, null = TRUE, call = call),
        min_mass = .checkNumber(min_mass, call = call),
        cutoff_perc = .checkNumber(cutoff_perc, 0, 100, call = call)
    )
}

# Two columns each of `places` and `vectors` (cells x 2), the names of the axes,
# and the object. Stored arrows do without their matrix.
.readProjection <- function(x, basis, components, key, key_added, recompute,
                            connectivities, job) {
    call <- job$call
    done <- .storedProjection(x, basis, key, key_added, recompute, call)
    if (is.null(done)) {
        chain <- .chainOf(x, key, job$threads, call)
        done <- .projection(
            chain, basis, key_added, recompute, connectivities, job
        )
        x <- chain$container
    }
    components <- .checkComponents(components, done$places, basis, call)
    list(
        container = x, cells = rownames(done$places),
        places = done$places[, components, drop = FALSE],
        vectors = done$vectors[, components, drop = FALSE],
        name = paste(
            .axisName(done$basis, .embeddingNames(x)), components
        )
    )
}

# Arrows of an object that does not hold their matrix (any more), or NULL.
.storedProjection <- function(x, basis, key, key_added, recompute, call) {
    if (is(x, "Kernel") || is(x, "Estimator") || isTRUE(recompute)) return(NULL)
    .checkContainer(x, call = call)
    if (.isBareMatrix(x)) return(NULL)
    keys <- if (is.null(key)) {
        c(.keyTransition(FALSE), .keyTransition(TRUE))
    } else {
        .checkString(key, arg = "key", call = call)
    }
    if (any(vapply(keys, .hasGraph, logical(1), x = x))) return(NULL)
    for (one in keys) {
        to <- .projectionTarget(x, basis, key_added, one, call)
        if (to$key %in% .embeddingNames(x)) {
            .checkFresh(x, to$key, call)
            to$places <- .readEmbedding(x, to$basis)
            to$vectors <- .readEmbedding(x, to$key)
            return(to)
        }
    }
    NULL
}

.flow <- function(read, mode, options, job) {
    n <- length(read$cells)
    if (mode == "cells") {
        return(list2DF(list(
            cell = read$cells, x = unname(read$places[, 1L]),
            y = unname(read$places[, 2L]), dx = unname(read$vectors[, 1L]),
            dy = unname(read$vectors[, 2L])
        )))
    }
    fn <- if (mode == "grid") rs_projection_grid else rs_projection_stream
    out <- .native(
        job, fn, as.vector(read$places), as.vector(read$vectors), n, options
    )
    if (mode == "grid") list2DF(out) else .streamTable(out)
}

.streamTable <- function(out) {
    point <- sequence(out$lengths)
    line <- rep.int(seq_along(out$lengths), out$lengths)
    list2DF(list(
        line = line, point = point, x = out$x, y = out$y, speed = out$speed,
        width = 2 * out$speed / out$max_speed,
        arrow = point == out$middles[line]
    ))
}
