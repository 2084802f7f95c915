# Terminal states of CFLARE: from eigenvectors to clusters of cells.

#' @include estimator-cflare.R
NULL

# The eigenvectors to use: their positions, left and right vectors (real parts)
# and the real parts of their eigenvalues.
.usedEigenvectors <- function(estimator, use, call = rlang::caller_env()) {
    eigen <- .step(estimator, "eigen", call)
    if (is.null(eigen$V_l) || is.null(eigen$V_r)) {
        .abort(
            "not_computed", "The eigenvectors have not been computed.",
            "Run computeEigendecomposition() with only_evals = FALSE.",
            step = "eigen", call = call
        )
    }
    known <- ncol(eigen$V_l)
    use <- .eigenPositions(use, eigen$eigengap, known, call)
    left <- eigen$V_l[, use, drop = FALSE]
    if (is.complex(left) && any(Im(left) != 0)) {
        .warn("fallback", paste0(
            "Left eigenvectors are complex (eigenvalues ",
            .someNames(format(eigen$D[use], digits = 4)),
            "); their real parts are used."
        ), use = use)
    }
    list(
        use = use, left = .realPart(left),
        right = .realPart(eigen$V_r[, use, drop = FALSE]),
        values = Re(eigen$D[use])
    )
}

.realPart <- function(m) matrix(as.double(Re(m)), nrow(m), ncol(m))

.eigenPositions <- function(use, eigengap, known, call) {
    if (is.null(use)) {
        use <- if (is.null(eigengap)) 1L else eigengap + 1L
    }
    whole <- is.numeric(use) && !anyNA(use) && all(use == round(use))
    if (!whole) {
        .badType(use, "whole numbers", TRUE, "use", call)
    }
    if (length(use) == 1L) use <- seq_len(max(use, 0))
    if (!length(use) || any(use < 1 | use > known) || anyDuplicated(use)) {
        .abort(
            "range", paste0(
                "`use` must name different eigenvectors among the ", known,
                " computed, not ", .someNames(use), "."
            ), paste(
                "Run computeEigendecomposition() with a larger `k`, or use",
                "fewer."
            ), argument = "use", value = use, max = known, call = call
        )
    }
    as.integer(use)
}

# The first columns of an embedding, or NULL.
.basisColumns <- function(estimator, basis, n_comps,
                          call = rlang::caller_env()) {
    .checkString(basis, null = TRUE, arg = "basis", call = call)
    if (is.null(basis)) {
        return(NULL)
    }
    m <- .readEmbedding(.estimatorContainer(estimator, call), basis)
    if (n_comps > ncol(m)) {
        .abort(
            "range", paste0(
                "`n_comps` = ", n_comps, " exceeds the ",
                .count(ncol(m), "column"), " of `", basis, "`."
            ), argument = "n_comps", value = n_comps, max = ncol(m),
            call = call
        )
    }
    m <- m[, seq_len(n_comps), drop = FALSE]
    bad <- rowSums(!is.finite(m)) > 0
    if (any(bad)) {
        .abort(
            "range", paste0(
                "`", basis, "` has missing or infinite coordinates for ",
                .count(sum(bad), "cell"), ": ",
                .someNames(.cells(estimator)[bad]), "."
            ), cells = .cells(estimator)[bad], key = basis, call = call
        )
    }
    m
}

# The stored nearest neighbours of every cell, as positions; NA where there are
# fewer.
.nearestCells <- function(estimator, params, call = rlang::caller_env()) {
    object <- .estimatorContainer(estimator, call)
    key <- params$neighbors_key
    .checkString(key, null = TRUE, arg = "neighbors_key", call = call)
    record <- .readRecord(object, .keyNeighbors(key)$record)
    indices <- .readDistances(
        object, .keyOfRun(record, key, "distances")
    )$indices
    indices[, seq_len(min(ncol(indices), params$n_neighbors_filtering)),
        drop = FALSE
    ]
}

# The states as setTerminalStates() knows them, with scores of the cells.
.cflareStates <- function(estimator, eigen, extra, near, params, job) {
    n <- nrow(eigen$left)
    cells <- .unwrap(rs_cflare_cells(
        eigen$left, n, eigen$values, params$percentile
    ), advice = "Choose other eigenvectors with `use`.", call = job$call)
    features <- cbind(eigen$right, extra)[cells$kept, , drop = FALSE]
    if (params$scale) {
        features[] <- .unwrap(rs_cflare_standardize(
            features, nrow(features), ncol(features)
        ), call = job$call)
    }
    labels <- integer(n)
    labels[cells$kept] <- .clusterFeatures(
        features, length(eigen$use), params, job
    )
    if (!is.null(near)) labels <- .dropStrays(labels, near, params, job$call)
    found <- sort(unique(labels[labels > 0L]))
    assignment <- factor(
        match(labels, found) - 1L, levels = seq_along(found) - 1L
    )
    names(assignment) <- .cells(estimator)
    list(
        assignment = assignment, colors = .defaultColors(length(found)),
        probs = cells$scores
    )
}

# Labels of the rows, counted from one.
.clusterFeatures <- function(features, n_vectors, params, job) {
    if (nrow(features) == 1L) {
        return(1L)
    }
    if (params$method == "kmeans") {
        k <- params$n_clusters_kmeans
        if (is.null(k)) k <- n_vectors + is.null(params$percentile)
        return(.kmeansLabels(features, k, params$random_state, job$call))
    }
    graph <- buildNeighbors(
        features, n_neighbors = params$n_neighbors,
        random_state = params$random_state, n_threads = job$threads,
        show_progress_bar = FALSE
    )$connectivities
    as.integer(clusterLeiden(
        graph, resolution = params$resolution, directed = FALSE,
        n_iterations = 2, random_state = params$random_state,
        n_threads = job$threads, show_progress_bar = FALSE
    )$labels)
}

.kmeansLabels <- function(features, k, seed, call) {
    different <- nrow(unique(features))
    if (k > different) {
        .abort(
            "range", paste0(
                "k-means cannot find ", k, " clusters among ",
                .count(different, "different cell"), "."
            ), paste(
                "Lower `n_clusters_kmeans` or `percentile`, or use method =",
                "\"leiden\"."
            ), argument = "n_clusters_kmeans", value = k, max = different,
            call = call
        )
    }
    if (k == different) {
        # Every different point is a cluster; kmeans() refuses as many centres
        # as points.
        at <- do.call(paste, as.data.frame(features))
        return(match(at, unique(at)))
    }
    fit <- suppressWarnings(.withSeed(
        seed, stats::kmeans(features, k, iter.max = 300L, nstart = 10L)
    ))
    if (!identical(as.integer(fit$ifault), 0L)) {
        .warn("not_converged", paste(
            "k-means has not converged; the best of ten starts is used."
        ), method = "kmeans", ifault = fit$ifault)
    }
    # In order of appearance, so that labels do not depend on the start.
    match(fit$cluster, unique(fit$cluster))
}

# Evaluates code with R's generator in a fixed state, and puts it back.
.withSeed <- function(seed, code) {
    old <- globalenv()[[".Random.seed"]]
    kind <- RNGkind()
    on.exit({
        # R warns of the sampler of its versions before 3.6.
        suppressWarnings(RNGkind(kind[1L], kind[2L], kind[3L]))
        if (is.null(old)) {
            rm(list = ".Random.seed", envir = globalenv())
        } else {
            assign(".Random.seed", old, envir = globalenv())
        }
    })
    set.seed(
        as.integer(seed %% .Machine$integer.max), "Mersenne-Twister",
        "Inversion", "Rejection"
    )
    code
}

# Labels without the cells whose neighbours are mostly elsewhere (0).
.dropStrays <- function(labels, near, params, call) {
    matches <- .unwrap(rs_cflare_matches(labels, near), call = call)
    kept <- labels > 0L & matches >= params$n_matches_min
    before <- tabulate(labels[labels > 0L])
    after <- tabulate(labels[kept], length(before))
    if (!any(kept)) {
        .abort(
            "no_state", paste0(
                "No cell has ", params$n_matches_min, " of its ", ncol(near),
                " nearest neighbours in its own cluster."
            ), "Lower `n_matches_min` or raise `n_neighbors_filtering`.",
            call = call
        )
    }
    lost <- which(after < before / 2)
    if (length(lost)) {
        .warn("dropped", paste0(
            "More than half of the cells of ", .count(length(lost), "cluster"),
            " are dropped by `n_matches_min` = ", params$n_matches_min,
            " (left: ", paste(after[lost], "of", before[lost],
                collapse = ", "), ")."
        ), "Lower `n_matches_min` or raise `n_neighbors_filtering`.",
        before = before, after = after)
    }
    labels[!kept] <- 0L
    labels
}
