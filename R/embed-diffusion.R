#' Diffusion map of the cells
#'
#' Coordinates along which a random walk on the neighbour graph is slow: the
#' branches of the data, from the broadest to the finest (Coifman and Lafon
#' 2006; Haghverdi et al. 2016). [computeDPT()] measures pseudotime in them.
#'
#' @details
#' **What is computed.** With the connectivities K, their column sums q and
#' \eqn{Q_{ij} = K_{ij} / (q_i q_j)}, whose row sums are \eqn{z_i^2}, the
#' columns are the leading eigenvectors of the symmetric
#' \eqn{T_{ij} = Q_{ij} / (z_i z_j)}: orthonormal, by falling eigenvalue, the
#' largest entry of each (the first, on ties) positive. Divided by z they are
#' the eigenvectors of the row-stochastic walk. The first, proportional to z,
#' is the steady state and says nothing about the cells; plot from the second
#' on. Nothing becomes dense.
#'
#' **Components.** A graph in several pieces has the eigenvalue 1 once per
#' piece; those columns come first, z within the piece and 0 outside. When they
#' are more than half of the columns there is a warning: little is left to tell
#' the cells of a piece apart.
#'
#' **Which eigenvalues.** `"LM"`, the largest in absolute value, is what scanpy
#' computes. `"LA"`, the largest, is what pseudotime and plots are about:
#' negative eigenvalues belong to walks that swing back and forth between
#' neighbours. On graphs of more than some hundred cells both are the same; on
#' small, sparse or nearly bipartite graphs `"LA"` is the better choice.
#'
#' **Accuracy.** Each pair is certified by its residual
#' \eqn{|T v - \lambda v| \le 10^{-10}}, kept in the record; the error of a
#' vector is at most that over the distance to the next eigenvalue. Up to 500
#' cells are solved densely; larger graphs by a filtered block Lanczos process
#' that also finds eigenvalues which nearly coincide, as those of weakly linked
#' groups do.
#'
#' **Cost.** Some hundred passes over the graph; memory
#' O(cells x (2 n_comps + 48)). `random_state` sets the start of the search,
#' which changes digits beyond the tolerance only; with it fixed the result is
#' the same on any number of threads.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object with a graph, or a
#'   square matrix that is the graph (cells x cells, symmetric).
#' @param n_comps Number of columns, the steady state included; at least 3.
#'   More than cells less one are cut to that, with a warning.
#' @param neighbors_key Name of the run of [buildNeighbors()] to use; NULL for
#'   the default run.
#' @param random_state Seed; NULL takes one from R's generator.
#' @param which `"LM"` or `"LA"`; see Details.
#' @param key_added Name of the embedding and its record; NULL means `DiffMap`
#'   (SingleCellExperiment) or `diffmap` (Seurat).
#' @param obsp Name of a stored graph to use instead of `neighbors_key`.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with the embedding (cells x `n_comps`) and a record that
#'   holds the eigenvalues (`values`) and the number of connected components;
#'   under the default key the eigenvalues are also the entry `diffmap_evals`
#'   of the metadata. For a matrix a list of `values`, `vectors`, `z`,
#'   `residuals` and `components`.
#' @section Errors:
#' `missing_key` without a graph; `range` for `n_comps` below 3, negative or
#' non-finite weights and a graph that is not symmetric; `disconnected` for
#' cells without neighbours (they are named); `not_converged` (says how many
#' eigenvectors were found); `container_stale` when cells changed after the
#' graph was made. Warning `disconnected` when most columns are steady states.
#' @references Coifman, R.R. and Lafon, S. (2006) Diffusion maps. Applied and
#'   Computational Harmonic Analysis 21, 5-30.
#'
#'   Haghverdi, L., Buettner, F., Wolf, F.A., Buettner, F. and Theis, F.J.
#'   (2016) Diffusion pseudotime robustly reconstructs lineage branching.
#'   Nature Methods 13, 845-848.
#' @seealso [computeDPT()]
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- computeDiffusionMap(sce, n_comps = 6, which = "LA")
#' dim(SingleCellExperiment::reducedDim(sce, "DiffMap"))
#' round(S4Vectors::metadata(sce)$DiffMap$values, 3)
#' @include graph-lookup.R
#' @export
computeDiffusionMap <- function(x, n_comps = 15, neighbors_key = NULL,
                                random_state = 0, which = c("LM", "LA"),
                                key_added = NULL, obsp = NULL,
                                n_threads = NULL, show_progress_bar = NULL,
                                ...) {
    .checkDots(...)
    .checkContainer(x)
    n_comps <- .checkCount(n_comps, 3)
    which <- .checkChoice(which, c("LM", "LA"))
    seed <- .seed(random_state)
    .checkString(key_added, null = TRUE)
    bare <- .containerClass(x) == "matrix"
    if (!bare) {
        if (is.null(key_added)) key_added <- .keyDiffusionMap(x)
        .checkKeyFree(x, key_added, "computeDiffusionMap")
    }
    found <- .findGraph(x, neighbors_key, obsp)
    graph <- .checkGraph(found$matrix)
    n_comps <- .usableEigenvectors(n_comps, nrow(graph))
    job <- .job(n_threads, show_progress_bar, "Diffusion map")
    out <- .native(
        job, rs_embed_diffusion, .slots(graph), n_comps, which, seed,
        cell_names = rownames(graph)
    )
    out$vectors <- matrix(
        out$vectors, nrow(graph), dimnames = list(rownames(graph), NULL)
    )
    .warnSteadyStates(out)
    if (bare) {
        names(out$z) <- rownames(graph)
        return(out[c("values", "vectors", "z", "residuals", "components")])
    }
    params <- c(
        list(n_comps = n_comps, which = which, random_state = seed),
        found$source
    )
    .storeDiffusionMap(x, out, key_added, params, job)
}

.usableEigenvectors <- function(n_comps, n, call = rlang::caller_env()) {
    if (n < 4L) {
        .abort(
            "shape", paste0(
                "A diffusion map needs at least four cells, not ", n, "."
            ), n_cells = n, call = call
        )
    }
    if (n_comps < n) {
        return(n_comps)
    }
    .warn("replaced_argument", paste0(
        "`n_comps` = ", n_comps, " exceeds the ", n - 1L,
        " components that ", n, " cells can have; ", n - 1L, " are computed."
    ), argument = "n_comps", value = n - 1L)
    n - 1L
}

.warnSteadyStates <- function(out) {
    steady <- min(out$components, length(out$values))
    if (steady <= length(out$values) / 2) {
        return(invisible())
    }
    .warn("disconnected", paste0(
        "The graph has ", .count(out$components, "connected component"),
        ", so ", steady, " of the ", length(out$values),
        " columns are steady states."
    ), "Use more neighbours in buildNeighbors(), or a larger `n_comps`.",
    components = out$components)
}

.storeDiffusionMap <- function(x, out, key, params, job) {
    x <- .writeEmbedding(x, key, out$vectors)
    record <- .record(
        "computeDiffusionMap", params = params,
        run = .run(
            job, residuals = out$residuals, products = out$products
        ), cells = rownames(out$vectors)
    )
    record$values <- out$values
    record$components <- out$components
    x <- .writeRecord(x, key, record, nested = FALSE)
    if (identical(key, .keyDiffusionMap(x))) {
        misc <- .readMisc(x)
        misc[[.keyDiffusionValues]] <- out$values
        x <- .writeMisc(x, misc)
    }
    x
}
