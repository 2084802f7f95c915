#' Transitions along RNA velocity
#'
#' From each cell to those neighbours that lie where its velocity points. For
#' cell i with velocity v and displacement `D_j = x_j - x_i` to neighbour j, the
#' score `s_j` is the correlation of v and D_j over features (or their cosine,
#' or dot product) and the transition probability is
#' `softmax(softmax_scale * s)` over the neighbours.
#'
#' @section Details:
#' Only the pattern of the graph is used, not its weights, and no self
#' transition is added. A cell whose velocity is zero goes to all its neighbours
#' alike (their number is in the record and a warning). A neighbour at the very
#' place of the cell has score and probability zero. Features with a missing
#' velocity in any cell are left out. `softmax_scale = NULL` takes
#' `1 / median(|s|)` over all non-zero scores. Time O(edges x features), memory
#' O(edges) beside the data; the same bits on any number of threads.
#'
#' Backward: `backward_mode = "transpose"` scores neighbour j by its own
#' velocity against the reversed displacement, `"negate"` turns the velocity
#' round.
#'
#' @inheritParams ConnectivityKernel
#' @param backward Run against time.
#' @param attr Where to read: `"layers"` (assays, features x cells) or `"obsm"`
#'   (embeddings, cells x dimensions).
#' @param xkey,vkey Names of expression and velocity there.
#' @param gene_subset For `attr = "layers"`: which genes to use, as a logical
#'   vector over all genes, gene names, or the name of a logical column of the
#'   feature data. NULL uses the column `<vkey>_genes` when there is one, else
#'   all genes.
#' @return `VelocityKernel()` gives a kernel that is not computed yet;
#'   [computeTransitionMatrix()] fills it.
#' @section Errors:
#' `missing_key`, `shape`, `range` (NaN in expression), `no_state` when no
#' feature or no direction is left, `disconnected` for cells without neighbours,
#' `not_stochastic` for cells whose neighbours are all duplicates of them.
#' @references La Manno, G. et al. (2018) RNA velocity of single cells. Nature
#'   560, 494-498. Lange, M. et al. (2022) CellRank for directed single-cell
#'   fate mapping. Nature Methods 19, 159-170.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- computeTransitionMatrix(VelocityKernel(sce))
#' parameters(k)$softmax_scale
#' @aliases VelocityKernel-class
#' @export
VelocityKernel <- function(object, backward = FALSE,
                           attr = c("layers", "obsm"), xkey = "Ms",
                           vkey = "velocity", gene_subset = NULL,
                           conn_key = "connectivities",
                           check_connectivity = FALSE,
                           check_symmetric = TRUE, experiment = NULL) {
    .checkContainer(object)
    .newKernel("VelocityKernel", object, init = list(
        attr = .checkChoice(attr, c("layers", "obsm")),
        xkey = .checkString(xkey), vkey = .checkString(vkey),
        gene_subset = gene_subset, conn_key = .checkString(conn_key),
        check_connectivity = .checkFlag(check_connectivity),
        check_symmetric = .checkFlag(check_symmetric),
        experiment = .checkString(experiment, null = TRUE)
    ), backward = .checkDirection(backward))
}

#' @rdname VelocityKernel
#' @exportClass VelocityKernel
setClass("VelocityKernel", contains = "BidirectionalKernel")

#' @rdname VelocityKernel
#' @param kernel The kernel.
#' @param model How velocity uncertainty enters.
#' @param backward_mode For backward kernels: `"transpose"` or `"negate"`.
#' @param similarity `"correlation"`, `"cosine"` or `"dot_product"`.
#' @param softmax_scale Sharpness of the softmax, positive; NULL estimates it.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @export
setMethod("computeTransitionMatrix", "VelocityKernel", function(
        kernel, model = "deterministic",
        backward_mode = c("transpose", "negate"),
        similarity = c("correlation", "cosine", "dot_product"),
        softmax_scale = NULL, ..., n_threads = NULL,
        show_progress_bar = NULL) {
    .checkDots(...)
    model <- .checkChoice(model, "deterministic")
    mode <- .checkChoice(backward_mode, c("transpose", "negate"))
    similarity <- .checkChoice(
        similarity, c("correlation", "cosine", "dot_product")
    )
    .checkNumber(softmax_scale, 0, null = TRUE, open_min = TRUE)
    job <- .job(n_threads, show_progress_bar, "Velocity kernel")
    data <- .readVelocity(kernel)
    graph <- .kernelGraph(kernel)
    .graphWarnings(kernel, graph, job)
    out <- .native(
        job, rs_kernel_velocity, .slots(graph), data$x, data$v,
        data$features, similarity,
        if (is.null(softmax_scale)) 0 else softmax_scale,
        if (!kernel@backward) "forward" else mode,
        cell_names = kernel@cell_names
    )
    .reportStill(out$still, kernel@cell_names)
    .setTransition(
        kernel, .fromSlots(out$matrix, kernel@cell_names),
        c(list(
            model = model, similarity = similarity,
            softmax_scale = out$softmax_scale
        ), if (kernel@backward) list(backward_mode = mode), kernel@init[
            c("attr", "xkey", "vkey", "conn_key")
        ]),
        .run(
            job, softmax_scale_estimated = is.null(softmax_scale),
            features = data$features, still_cells = length(out$still)
        )
    )
})

.reportStill <- function(still, cell_names) {
    if (!length(still)) return(invisible())
    cells <- cell_names[still]
    .warn("dropped", paste0(
        .count(length(cells), "cell"), " had no velocity and moved to all ",
        "neighbours alike: ", .someNames(cells), "."
    ), cells = cells)
}

# Expression and velocity as dense values, one column per cell (features x
# cells), finite; and the number of features.
.readVelocity <- function(kernel, call = rlang::caller_env()) {
    init <- kernel@init
    x <- .kernelContainer(kernel, call)
    read <- if (init$attr == "layers") .velocityAssays else .velocityEmbeddings
    data <- read(x, init, call)
    if (!identical(dim(data$x), dim(data$v))) {
        .abort(
            "shape", paste0(
                "`", init$xkey, "` and `", init$vkey, "` must have the same ",
                "shape, not ", paste(dim(data$x), collapse = " x "), " and ",
                paste(dim(data$v), collapse = " x "), "."
            ), call = call
        )
    }
    gone <- is.na(rowSums(data$v))
    if (any(gone)) {
        data$x <- data$x[!gone, , drop = FALSE]
        data$v <- data$v[!gone, , drop = FALSE]
    }
    if (!nrow(data$v)) {
        .abort(
            "no_state", paste0(
                "No feature of `", init$vkey, "` is left: every one has a ",
                "missing velocity or was not selected."
            ), "Check `gene_subset` and the velocity assay.", call = call
        )
    }
    list(x = data$x, v = data$v, features = nrow(data$v))
}

.velocityAssays <- function(x, init, call) {
    genes <- .velocityGenes(x, init, call)
    read <- function(key) {
        m <- .readAssay(x, key, features = genes, experiment = init$experiment)
        .dense(m, paste0("The assay `", key, "`"), call)
    }
    list(x = read(init$xkey), v = read(init$vkey))
}

# Names of the genes to use, or NULL for all.
.velocityGenes <- function(x, init, call) {
    subset <- init$gene_subset
    names <- .featureNames(x, init$experiment)
    column <- .keyVelocityGenes(init$vkey)
    available <- .featureDataNames(x, init$experiment)
    if (is.null(subset)) {
        if (!column %in% available) return(NULL)
        subset <- .readFeatureData(x, column, init$experiment)
    } else if (is.character(subset) && length(subset) == 1L &&
        subset %in% available) {
        subset <- .readFeatureData(x, subset, init$experiment)
    }
    if (is.logical(subset) && length(subset) == length(names)) {
        return(names[subset %in% TRUE])
    }
    if (!is.character(subset) || !all(subset %in% names)) {
        .abort(
            "missing_key", paste0(
                "`gene_subset` must be a logical vector over all ",
                length(names), " genes, gene names, or a logical column; ",
                "unknown: ", .someNames(setdiff(subset, names)), "."
            ), call = call
        )
    }
    subset
}

.velocityEmbeddings <- function(x, init, call) {
    if (!is.null(init$gene_subset)) {
        .warn("dropped", "`gene_subset` is ignored for embeddings.")
    }
    read <- function(key) t(.checkEmbedding(
        .readEmbedding(x, key), paste0("The embedding `", key, "`"),
        call = call
    ))
    list(x = read(init$xkey), v = read(init$vkey))
}
