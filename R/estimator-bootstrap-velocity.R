# Resamples of the genes that velocities are made of.

#' @include estimator-bootstrap.R kernel-algebra.R kernel-velocity.R
NULL

# As .bootstrapChains(), with a transition matrix per resample from the kernel.
.bootstrapVelocity <- function(estimator, chain, settings, job) {
    call <- job$call
    kernel <- .resampledKernel(estimator, call)
    genes <- .velocityFeatures(kernel, call)
    bytes <- 8 * length(chain$point) * settings$n_boot
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes > limit) {
        .abort("memory", paste0(
            "The fates of ", settings$n_boot, " resamples need ",
            format(bytes / 2^30, digits = 3), " GiB, more than the limit of ",
            format(limit / 2^30, digits = 3), " GiB."
        ), paste(
            "Use fewer resamples or raise",
            "options(fatecast.memory_limit = <bytes>)."
        ), bytes = bytes, limit = limit, call = call)
    }
    quiet <- job[setdiff(names(job), "progress")]
    parts <- lapply(seq_len(settings$n_boot), function(b) {
        if (!is.null(job$progress)) job$progress(b - 1, settings$n_boot)
        .velocityReplicate(kernel, genes, chain, settings, b, quiet)
    })
    fates <- Filter(Negate(is.null), lapply(parts, `[[`, "fates"))
    if (length(fates) < 2L || 2L * length(fates) < settings$n_boot) {
        .abort("no_state", paste0(
            "All terminal states were found in only ", length(fates), " of ",
            settings$n_boot, " resamples."
        ), .bootstrapAdvice(settings), used = length(fates), call = call)
    }
    out <- .native(
        quiet, rs_bootstrap_summary, fates, length(chain$cells),
        chain$n_states, chain$point, settings$confidence_level
    )
    worst <- function(what) max(vapply(parts, `[[`, numeric(1), what))
    c(out, list(
        used = length(fates),
        overlaps = do.call(rbind, lapply(parts, `[[`, "overlaps")),
        residual = worst("residual"), error_bound = worst("error_bound"),
        iterations = worst("iterations"), solver = parts[[1L]]$solver
    ))
}

.velocityReplicate <- function(kernel, genes, chain, settings, b, job) {
    drawn <- .native(
        job, rs_bootstrap_draw, length(genes), settings$random_state, b
    )
    matrix <- .velocityChain(kernel, genes[drawn], job)
    .native(
        job, rs_bootstrap_replicate, .slots(matrix), chain$labels,
        chain$n_states, chain$point, chain$states, cell_names = chain$cells
    )
}

# The transition matrix with these genes in every velocity kernel.
.velocityChain <- function(kernel, genes, job) {
    redraw <- function(k) {
        if (methods::is(k, "KernelExpression")) {
            k@operands <- lapply(k@operands, redraw)
        } else if (methods::is(k, "VelocityKernel")) {
            k@init$gene_subset <- genes
            k <- .evaluatedAgain(k, kernel@container, job$threads)
        }
        k
    }
    compat <- isTRUE(kernel@params$compat)
    .evaluate(redraw(kernel), kernel@container, job, compat)$matrix
}

# The kernel of an estimator with the object, every leaf but those of velocity
# evaluated.
.resampledKernel <- function(estimator, call) {
    kernel <- estimator@kernel
    velocity <- vapply(
        .leaves(kernel), methods::is, logical(1), "VelocityKernel"
    )
    embedded <- vapply(.leaves(kernel)[velocity], function(k) {
        identical(k@init$attr, "obsm")
    }, logical(1))
    if (!any(velocity) || any(embedded)) {
        .abort("type", paste0(
            "`what = \"velocity\"` resamples the genes of a VelocityKernel, ",
            if (any(velocity)) "but velocities are those of an embedding." else
                paste0("but the chain is ", .shortForm(kernel), ".")
        ), "Use what = \"cells\".", argument = "what", value = "velocity",
        call = call)
    }
    kernel@container <- .estimatorContainer(estimator, call)
    fill <- function(k) {
        if (methods::is(k, "KernelExpression")) {
            k@operands <- lapply(k@operands, fill)
        } else if (!methods::is(k, "VelocityKernel") && is.null(k@matrix)) {
            k <- .evaluatedAgain(k, kernel@container, 1L)
        }
        k
    }
    fill(kernel)
}

# A leaf evaluated with the arguments that it was made with.
.evaluatedAgain <- function(leaf, container, threads) {
    arguments <- leaf@params[setdiff(names(leaf@params), names(leaf@init))]
    if (isTRUE(leaf@run$softmax_scale_estimated)) {
        arguments$softmax_scale <- NULL
    }
    leaf@matrix <- NULL
    leaf@container <- container
    leaf <- withCallingHandlers(
        rlang::inject(computeTransitionMatrix(
            leaf, !!!arguments, n_threads = threads, show_progress_bar = FALSE
        )),
        # What there is to say was said when the chain was made.
        fatecast_warning = function(w) rlang::cnd_muffle(w)
    )
    leaf@container <- NULL
    leaf
}

# Names of the genes in use, which must be those of one velocity kernel.
.velocityFeatures <- function(kernel, call) {
    leaf <- Filter(function(k) {
        methods::is(k, "VelocityKernel")
    }, .leaves(kernel))[[1L]]
    names <- .featureNames(kernel@container, leaf@init$experiment)
    used <- .velocityGenes(kernel@container, leaf@init, length(names), call)
    if (is.null(used)) names else names[used]
}
