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
#' `1 / median(|s|)` over all non-zero scores of the deterministic model.
#'
#' Backward: `backward_mode = "transpose"` scores neighbour j by its own
#' velocity against the reversed displacement, `"negate"` turns the velocity
#' round.
#'
#' @section Models:
#' `"deterministic"` takes each velocity as it is. The others take it as
#' uncertain, with the mean and the variance of the velocities of the cell and
#' its neighbours: `"stochastic"` gives the expected probabilities to second
#' order (those at the mean velocity plus half the variance times their second
#' derivatives, in closed form), `"monte_carlo"` averages over `n_samples`
#' velocities drawn from normal distributions. Both are for forward kernels; a
#' backward one warns and uses the deterministic model.
#'
#' @section Cost:
#' Time O(edges x features), `n_samples` times that for `"monte_carlo"`; memory
#' O(edges) beside the data and O(neighbours x features) per thread. The same
#' bits on any number of threads; each cell draws from its own stream of
#' `random_state`. A similarity of one's own is called in R, once per cell
#' (`n_samples` times for `"monte_carlo"`), on one thread.
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
#' `missing_key`, `shape`, `range` (missing or infinite expression, an unknown
#' model or similarity), `type` (a similarity that is neither name, scheme nor
#' function), `no_state` when no feature or no direction is left, `disconnected`
#' for cells without neighbours, `not_stochastic` for cells whose neighbours are
#' all duplicates of them or whose probabilities by a similarity of one's own do
#' not sum to one, `shape` also for a Hessian of the wrong size. Warnings:
#' `replaced_argument` for a model that a backward kernel or a similarity
#' without Hessian rules out, `dropped` for cells without velocity.
#' @references La Manno, G. et al. (2018) RNA velocity of single cells. Nature
#'   560, 494-498. Lange, M. et al. (2022) CellRank for directed single-cell
#'   fate mapping. Nature Methods 19, 159-170.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' k <- computeTransitionMatrix(VelocityKernel(sce))
#' parameters(k)$softmax_scale
#' computeTransitionMatrix(VelocityKernel(sce), model = "stochastic")
#' @aliases VelocityKernel-class
#' @include kernel-similarity.R
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
#' @param model How the uncertainty of velocities enters: see Models.
#' @param backward_mode For backward kernels: `"transpose"` or `"negate"`.
#' @param similarity `"correlation"`, `"cosine"` or `"dot_product"`, one of the
#'   objects [Correlation()], [Cosine()], [DotProduct()] (the same), a scheme of
#'   one's own, or a `function(v, D, softmax_scale)`; see [SimilarityScheme].
#' @param softmax_scale Sharpness of the softmax, positive; NULL estimates it.
#' @param n_samples For `"monte_carlo"`: number of draws per cell.
#' @param random_state For `"monte_carlo"`: seed of the draws; NULL takes it
#'   from R's generator.
#' @param compat For `"monte_carlo"`: TRUE takes the variance for the standard
#'   deviation, as CellRank does.
#' @param ... Not used; an unknown argument is an error.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @export
setMethod("computeTransitionMatrix", "VelocityKernel", function(
        kernel, model = c("deterministic", "stochastic", "monte_carlo"),
        backward_mode = c("transpose", "negate"),
        similarity = c("correlation", "cosine", "dot_product"),
        softmax_scale = NULL, n_samples = 1000, random_state = 0,
        compat = FALSE, ..., n_threads = NULL, show_progress_bar = NULL) {
    .checkDots(...)
    mode <- .checkChoice(backward_mode, c("transpose", "negate"))
    options <- list(
        similarity = .checkSimilarity(similarity),
        softmax_scale = .checkNumber(
            softmax_scale, 0, null = TRUE, open_min = TRUE
        ),
        direction = if (kernel@backward) mode else "forward"
    )
    model <- .checkChoice(
        model, c("deterministic", "stochastic", "monte_carlo")
    )
    .checkCount(n_samples, 1, .Machine$integer.max)
    .checkFlag(compat)
    options$model <- .usableModel(model, kernel, options$similarity)
    if (options$model == "monte_carlo") {
        options$n_samples <- n_samples
        options$seed <- .seed(random_state)
        options$compat <- compat
    }
    job <- .job(n_threads, show_progress_bar, "Velocity kernel")
    data <- .readVelocity(kernel)
    graph <- .kernelGraph(kernel)
    .graphWarnings(kernel, graph, job)
    out <- .velocityRows(job, graph, data, options, kernel@cell_names)
    .reportStill(out$still, options, kernel@cell_names)
    .setTransition(
        kernel, .fromSlots(out$matrix, kernel@cell_names),
        c(.velocityParams(options, out$softmax_scale), kernel@init[
            c("attr", "xkey", "vkey", "conn_key")
        ]),
        .run(
            job, softmax_scale_estimated = is.null(softmax_scale),
            features = out$features, still_cells = length(out$still)
        )
    )
})

# The model that can be used, with a warning if it is another one.
.usableModel <- function(model, kernel, similarity) {
    replace <- function(by, why) {
        .warn(
            "replaced_argument", paste0(
                "The ", .someNames(model), " model ", why, "; the ",
                .someNames(by), " model is used instead."
            ), argument = "model", value = model, used = by
        )
        by
    }
    if (kernel@backward && model != "deterministic") {
        return(replace("deterministic", "is for forward kernels"))
    }
    if (model == "stochastic" && !.hasHessian(similarity)) {
        return(replace("monte_carlo", paste(
            "needs second derivatives, which this similarity does not have"
        )))
    }
    model
}

# list(matrix, softmax_scale, features, still), by the core or, for a similarity
# that someone wrote, cell by cell in R.
.velocityRows <- function(job, graph, data, options, cell_names) {
    if (!is.character(options$similarity)) {
        return(.velocityByScheme(job, graph, data, options, cell_names))
    }
    .native(
        job, rs_kernel_velocity, .slots(graph),
        list(data$x, data$v, dim(data$x), data$by_cells, data$features),
        options, cell_names = cell_names
    )
}

# What made the matrix: names of what the core computes, users' own as they are.
.velocityParams <- function(options, softmax_scale) {
    drawn <- options$model == "monte_carlo"
    c(
        list(
            model = options$model, similarity = options$similarity,
            softmax_scale = softmax_scale
        ),
        if (options$direction != "forward") {
            list(backward_mode = options$direction)
        },
        if (drawn) {
            list(
                n_samples = options$n_samples, random_state = options$seed,
                compat = options$compat
            )
        }
    )
}

.reportStill <- function(still, options, cell_names) {
    if (!length(still)) return(invisible())
    cells <- cell_names[still]
    fate <- if (options$direction == "transpose") {
        " had no velocity, so that no other cell moves to them: "
    } else {
        " had no velocity and moved to all neighbours alike: "
    }
    .warn(
        "dropped", paste0(
            .count(length(cells), "cell"), fate, .someNames(cells), "."
        ), cells = cells
    )
}

# Expression and velocity as they lie in the object: two dense matrices of one
# shape, cells in columns (assays) or rows (embeddings), and the positions of
# the features to use, or NULL for all.
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
            ), dim_x = dim(data$x), dim_v = dim(data$v), call = call
        )
    }
    empty <- dim(data$x)[if (data$by_cells) 2L else 1L] == 0L
    if (empty || identical(length(data$features), 0L) &&
        !is.null(data$features)) {
        .noFeature(call)
    }
    data
}

.noFeature <- function(call) {
    .abort(
        "no_state", paste0(
            "No feature is left: every one has a missing velocity or was not ",
            "selected."
        ), "Check `gene_subset` and the velocity.", call = call
    )
}

# A plain matrix is read by the core where it lies; of anything else only the
# chosen features are made dense.
.velocityAssays <- function(x, init, call) {
    read <- function(key) .readAssay(x, key, experiment = init$experiment)
    m <- list(x = read(init$xkey), v = read(init$vkey))
    genes <- .velocityGenes(x, init, nrow(m$v), call)
    plain <- function(m) is.matrix(m) && is.double(m)
    if (plain(m$x) && plain(m$v)) {
        return(c(m, list(by_cells = FALSE, features = genes)))
    }
    dense <- function(m, key) {
        if (!is.null(genes)) m <- m[genes, , drop = FALSE]
        .dense(m, paste0("The assay `", key, "`"), call)
    }
    list(
        x = dense(m$x, init$xkey), v = dense(m$v, init$vkey),
        by_cells = FALSE, features = NULL
    )
}

# Positions of the genes to use, or NULL for all.
.velocityGenes <- function(x, init, n, call) {
    subset <- init$gene_subset
    column <- .keyVelocityGenes(init$vkey)
    available <- .featureDataNames(x, init$experiment)
    if (is.null(subset)) {
        if (!column %in% available) return(NULL)
        subset <- .readFeatureData(x, column, init$experiment)
    } else if (is.character(subset) && length(subset) == 1L &&
        subset %in% available) {
        subset <- .readFeatureData(x, subset, init$experiment)
    }
    if (is.logical(subset) && length(subset) == n) {
        return(which(subset))
    }
    names <- .featureNames(x, init$experiment)
    if (!is.character(subset) || !all(subset %in% names)) {
        .abort(
            "missing_key", paste0(
                "`gene_subset` must be a logical vector over all ",
                length(names), " genes, gene names, or a logical column; ",
                "unknown: ", .someNames(setdiff(subset, names)), "."
            ), call = call
        )
    }
    match(subset, names)
}

.velocityEmbeddings <- function(x, init, call) {
    if (!is.null(init$gene_subset)) {
        .warn("dropped", "`gene_subset` is ignored for embeddings.")
    }
    list(
        x = .readEmbedding(x, init$xkey), v = .readEmbedding(x, init$vkey),
        by_cells = TRUE, features = NULL
    )
}
