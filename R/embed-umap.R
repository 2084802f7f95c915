#' UMAP layout of the cells
#'
#' Lays the neighbour graph out in a few dimensions so that neighbours stay
#' together (McInnes, Healy and Melville 2018). The arguments are those of
#' scanpy.
#'
#' @details
#' **Input** is the graph that [buildNeighbors()] stored, which is never
#' changed; coordinates are looked up only to place separate pieces of the
#' graph and for `init_pos = "pca"`. Edges too light to be used in any epoch
#' are left out of the layout.
#'
#' **Optimisation.** In every epoch each cell gathers the pull of its due edges
#' and the push of `negative_sample_rate` random cells per edge from the
#' positions of the epoch before, and all cells move at once; so the layout is
#' the same on any number of threads. `mode = "sequential"` moves the ends of
#' one edge after the other, as the reference does, on one thread.
#'
#' **Cost.** Time O(edges x epochs x (1 + negative_sample_rate)), memory
#' O(edges).
#'
#' **Randomness.** `random_state` decides start and random cells; R's random
#' numbers are not touched. Isolated cells stay where they start. Duplicated
#' cells are no problem.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object with a graph, or a
#'   square matrix that is the graph (cells x cells, symmetric).
#' @param min_dist Distance below which cells are packed no closer, in units of
#'   the layout; at most `spread`.
#' @param spread Scale of the layout.
#' @param n_components Number of dimensions.
#' @param maxiter Number of epochs; NULL means 500 up to 10,000 cells and 200
#'   above (200 more for `"densmap"`). 0 returns the start.
#' @param alpha Learning rate at the start; it falls to zero. In parallel mode
#'   it is the size of a step, so that values far above 1 make a wide picture.
#' @param gamma Weight of the push.
#' @param negative_sample_rate Random cells per use of an edge.
#' @param init_pos Start: `"spectral"` (eigenvectors of the graph), `"random"`,
#'   `"paga"` (needs `computePAGA(layout = )`; two dimensions only), `"pca"`,
#'   the name of any embedding, or a matrix of cells x `n_components`.
#' @param random_state Seed; NULL takes one from R's generator.
#' @param a,b Parameters of the curve \eqn{1/(1 + a d^{2b})}; NULL fits them
#'   to `min_dist` and `spread`.
#' @param method `"umap"`, or `"densmap"`, which also keeps local densities
#'   (Narayan, Berger and Cho 2021) and needs stored distances.
#' @param dens_lambda,dens_frac,dens_var_shift Settings of `"densmap"`: weight
#'   of the density term, share of the epochs (the last ones) that use it, and
#'   a shift of the variance of the radii.
#' @param mode `"parallel"` or `"sequential"`; see Details.
#' @param neighbors_key Name of the run of [buildNeighbors()] to use; NULL for
#'   the default run.
#' @param key_added Name of the embedding and its record; NULL means `UMAP`
#'   (SingleCellExperiment) or `umap` (Seurat).
#' @param paga_key Record of [computePAGA()] for `init_pos = "paga"`.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with the embedding (cells x `n_components`) and a record
#'   (`a`, `b`, epochs, start); for a matrix the coordinates.
#' @section Errors:
#' `missing_key` without a graph, an embedding or a PAGA layout; `range` for
#' `min_dist` above `spread`, a method that is not there (`"rapids"` included)
#' and a graph that is not symmetric or has negative or non-finite weights;
#' `shape` for a start that does not fit; `container_stale` when cells changed
#' after the graph was made.
#' Warning `fallback` when the eigenvectors of the start could not be had.
#' @references McInnes, L., Healy, J. and Melville, J. (2018) UMAP: Uniform
#'   Manifold Approximation and Projection for dimension reduction.
#'   arXiv:1802.03426.
#'
#'   Narayan, A., Berger, B. and Cho, H. (2021) Assessing single-cell
#'   transcriptomic variability through density-preserving data visualization.
#'   Nature Biotechnology 39, 765-774.
#' @seealso [transformUMAP()] for new cells, [embeddingQuality()],
#'   [plotEmbedding()].
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- embedUMAP(sce, maxiter = 100)
#' parameters(sce, "UMAP")$min_dist
#' @include graph-lookup.R
#' @export
embedUMAP <- function(x, min_dist = 0.5, spread = 1, n_components = 2,
                      maxiter = NULL, alpha = 1, gamma = 1,
                      negative_sample_rate = 5, init_pos = "spectral",
                      random_state = 0, a = NULL, b = NULL, method = "umap",
                      neighbors_key = NULL, key_added = NULL, dens_lambda = 2,
                      dens_frac = 0.3, dens_var_shift = 0.1,
                      mode = c("parallel", "sequential"), paga_key = "paga",
                      n_threads = NULL, show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    method <- .umapMethod(method)
    settings <- list(
        min_dist = .checkNumber(min_dist, 0),
        spread = .checkNumber(spread, 0, open_min = TRUE),
        n_components = .checkCount(n_components),
        maxiter = .checkCount(maxiter, 0, null = TRUE),
        alpha = .checkNumber(alpha, 0), gamma = .checkNumber(gamma, 0),
        negative_sample_rate = .checkNumber(negative_sample_rate, 0),
        random_state = .seed(random_state),
        a = .checkNumber(a, 0, null = TRUE, open_min = TRUE),
        b = .checkNumber(b, 0, null = TRUE, open_min = TRUE),
        method = method, mode = .checkChoice(mode, c("parallel", "sequential"))
    )
    if (method == "densmap") {
        settings$dens_lambda <- .checkNumber(dens_lambda, 0)
        settings$dens_frac <- .checkNumber(dens_frac, 0, 1)
        settings$dens_var_shift <- .checkNumber(dens_var_shift, 0)
    }
    .checkCurve(settings)
    key <- .umapKey(x, key_added)
    found <- .findGraph(x, neighbors_key)
    graph <- .checkGraph(found$matrix, isolated = TRUE)
    .noteForeignGraph(found$neighbors)
    start <- .umapStart(x, init_pos, settings$n_components, found, paga_key)
    distances <- .umapDistances(x, neighbors_key, method)
    job <- .job(n_threads, show_progress_bar, "UMAP")
    out <- .native(
        job, rs_embed_umap, .slots(graph), start$data, distances,
        start$native, settings, cell_names = rownames(graph)
    )
    .storeUMAP(x, out, key, settings, start, found, job)
}

.umapMethod <- function(method, call = rlang::caller_env()) {
    if (identical(method, "rapids")) {
        .abort(
            "range", paste(
                "The method \"rapids\" was scanpy's door to a GPU library,",
                "which is not supported here."
            ), "Use method = \"umap\": it runs on all processor cores.",
            argument = "method", value = method, call = call
        )
    }
    .checkChoice(method, c("umap", "densmap"), arg = "method", call = call)
}

.checkCurve <- function(settings, call = rlang::caller_env()) {
    if (settings$min_dist > settings$spread) {
        .abort(
            "range", paste0(
                "`min_dist` = ", settings$min_dist, " must not exceed ",
                "`spread` = ", settings$spread, "."
            ), argument = "min_dist", value = settings$min_dist, call = call
        )
    }
}

.umapKey <- function(x, key_added, call = rlang::caller_env()) {
    if (.containerClass(x) == "matrix") {
        return(NULL)
    }
    key <- .checkString(
        key_added, null = TRUE, arg = "key_added", call = call
    )
    if (is.null(key)) key <- .keyUMAP(x)
    .checkKeyFree(x, key, "embedUMAP", call)
    key
}

.noteForeignGraph <- function(neighbors) {
    method <- neighbors$params$method
    if (!is.null(method) && !identical(method, "umap")) {
        .inform(paste0(
            "The graph was made with method = \"", method,
            "\"; UMAP expects weights of method = \"umap\"."
        ))
    }
}

.umapDistances <- function(x, neighbors_key, method,
                           call = rlang::caller_env()) {
    if (method != "densmap") {
        return(NULL)
    }
    if (.containerClass(x) == "matrix") {
        .refuseMatrix(x, "holds no distances, which densMAP needs", call)
    }
    .slots(.findDistances(x, neighbors_key, call))
}

# ---- Start ----

# The start as the core takes it, and the coordinates to place pieces by.
.umapStart <- function(x, init_pos, n_components, found, paga_key,
                       call = rlang::caller_env()) {
    cells <- rownames(found$matrix)
    data <- .searchedIn(x, found$neighbors)
    start <- if (is.character(init_pos)) {
        name <- .checkString(init_pos, arg = "init_pos", call = call)
        switch(name,
            spectral = list(kind = "spectral"),
            random = list(kind = "random"),
            paga = .pagaStart(x, paga_key, n_components, call),
            .givenStart(.namedStart(x, name, n_components, call))
        )
    } else {
        m <- .checkEmbedding(init_pos, "`init_pos`", call)
        m <- .cellRows(m, cells, "`init_pos`", call)
        .givenStart(.startColumns(m, n_components, exact = TRUE, call))
    }
    list(
        native = start, data = if (!is.null(data)) .denseArg(data),
        label = if (is.character(init_pos)) init_pos else "matrix",
        given = if (!is.character(init_pos)) init_pos
    )
}

.denseArg <- function(m) list(as.vector(m), dim(m))

.givenStart <- function(m) c(list(kind = "given"), values = list(as.vector(m)))

.namedStart <- function(x, name, n_components, call) {
    if (.containerClass(x) == "matrix") {
        .abort(
            "range", paste0(
                "A bare matrix has no embedding ", .someNames(name),
                " to start from."
            ), paste(
                "Use \"spectral\", \"random\", or a matrix of coordinates as",
                "`init_pos`."
            ), argument = "init_pos", value = name, call = call
        )
    }
    m <- .readEmbedding(x, if (name == "pca") .keyPCA(x) else name)
    m <- .checkEmbedding(m, paste0("The embedding `", name, "`"), call)
    .startColumns(m, n_components, exact = FALSE, call)
}

.startColumns <- function(m, n_components, exact, call) {
    if (ncol(m) < n_components || (exact && ncol(m) != n_components)) {
        .abort(
            "shape", paste0(
                "The start has ", .count(ncol(m), "column"), "; the layout ",
                "has ", n_components, "."
            ), dim = dim(m), argument = "init_pos", call = call
        )
    }
    m[, seq_len(n_components), drop = FALSE]
}

# Positions of the groups, their graph and the group of each cell.
.pagaStart <- function(x, key, n_components, call) {
    .checkString(key, arg = "paga_key", call = call)
    if (n_components != 2L) {
        .abort(
            "range", paste0(
                "A PAGA start has two dimensions; `n_components` is ",
                n_components, "."
            ), "Use init_pos = \"spectral\" for more dimensions.",
            argument = "init_pos", value = "paga", call = call
        )
    }
    paga <- .readRecord(x, key)
    if (is.null(paga$pos)) {
        .abort(
            "missing_key", paste0(
                "The object has no PAGA layout under ", .someNames(key), "."
            ), "Run computePAGA(layout = \"fr\") first.",
            key = key, call = call
        )
    }
    .checkFresh(x, key, call)
    groups <- match(
        as.character(.readCellData(x, paga$groups)), rownames(paga$pos)
    )
    if (anyNA(groups)) {
        cells <- .cellNames(x)[is.na(groups)]
        .abort(
            "range", paste0(
                .count(length(cells), "cell"), " of ",
                .someNames(paga$groups), " belong to no group of the PAGA ",
                "graph: ", .someNames(cells), "."
            ), "Run computePAGA() again on these groups.",
            cells = cells, call = call
        )
    }
    list(
        kind = "paga", groups = groups - 1L, positions = as.vector(paga$pos),
        connectivities = .slots(.asGeneral(paga$connectivities))
    )
}

# ---- Storing ----

.storeUMAP <- function(x, out, key, settings, start, found, job) {
    cells <- rownames(found$matrix)
    m <- matrix(
        out$embedding, length(cells),
        dimnames = list(cells, paste0("UMAP", seq_len(settings$n_components)))
    )
    .warnStart(out$start, out$residual)
    if (.containerClass(x) == "matrix") {
        return(m)
    }
    x <- .writeEmbedding(x, key, m)
    params <- c(settings, list(
        init_pos = if (is.null(start$given)) start$label else start$given,
        neighbors_key = found$source$neighbors_key,
        connectivities_key = found$key
    ))
    params$a <- out$a
    params$b <- out$b
    params$maxiter <- out$n_epochs
    record <- .record("embedUMAP", params = params, run = .run(
        job, start = out$start, components = out$components,
        residuals = out$residual
    ), cells = cells)
    .writeRecord(x, key, record, nested = FALSE)
}

.warnStart <- function(start, residual) {
    if (start %in% c("partial", "pca", "random_instead")) {
        .warn("fallback", paste0(
            "The eigenvectors of the graph did not converge (residual ",
            format(residual, digits = 2), "); the layout started from ",
            c(
                partial = "their last approximation", pca = "the coordinates",
                random_instead = "random positions"
            )[[start]], "."
        ), "The layout is valid; its global shape may be less faithful.")
    }
}
