# The velocity kernel with a similarity that a user wrote: cell by cell in R.
# The core does what does not depend on it.

#' @include kernel-similarity.R
NULL

# As rs_kernel_velocity: list(matrix, softmax_scale, features, still).
.velocityByScheme <- function(job, graph, data, options, cell_names) {
    d <- .schemeData(graph, data, cell_names, job$call)
    if (is.null(options$softmax_scale)) {
        first <- options
        first$model <- "deterministic"
        first$softmax_scale <- 1
        logits <- .schemeRows(job, d, first)$logits
        options$softmax_scale <- .native(
            job, rs_kernel_velocity_scale, as.double(unlist(logits))
        )
    }
    rows <- .schemeRows(job, d, options)
    by_row <- d$near
    by_row@x <- as.double(unlist(rows$probabilities))
    matrix <- .native(
        job, rs_kernel_normalize, .slots(Matrix::t(by_row)),
        cell_names = cell_names
    )
    list(
        matrix = matrix, softmax_scale = options$softmax_scale,
        features = nrow(d$v), still = rows$still
    )
}

# Neighbours as columns of a sparse matrix, expression and velocity as features
# x cells without features that lack a velocity.
.schemeData <- function(graph, data, cell_names, call) {
    arrange <- function(m) {
        if (!is.null(data$features)) m <- m[data$features, , drop = FALSE]
        if (data$by_cells) m <- t(m)
        dimnames(m) <- NULL
        m
    }
    x <- arrange(data$x)
    v <- arrange(data$v)
    kept <- !is.na(rowSums(v))
    if (!any(kept)) .noFeature(call)
    dimnames(graph) <- list(NULL, NULL)
    x <- x[kept, , drop = FALSE]
    v <- v[kept, , drop = FALSE]
    list(
        near = Matrix::t(Matrix::drop0(graph)), x = x, v = v, call = call,
        cells = cell_names, graph = .slots(graph),
        native = list(x, v, dim(x), FALSE, NULL)
    )
}

# Probabilities and logits of every cell, as lists, and the cells that have no
# velocity.
.schemeRows <- function(job, d, options) {
    n <- ncol(d$x)
    rows <- vector("list", n)
    still <- logical(n)
    uncertain <- options$model != "deterministic"
    block <- max(256L, as.integer(5e6 / nrow(d$v)))
    for (i in seq_len(n)) {
        if (uncertain && i %% block == 1L) {
            moments <- .schemeMoments(job, d, i, min(i + block - 1L, n))
        }
        near <- d$near@i[seq.int(
            d$near@p[i] + 1L, length.out = d$near@p[i + 1L] - d$near@p[i]
        )] + 1L
        cell <- list(
            i = i, near = near, name = d$cells[i], call = d$call,
            D = t(d$x[, near, drop = FALSE] - d$x[, i])
        )
        if (uncertain) {
            at <- (i - 1L) %% block + 1L
            cell$mean <- moments$mean[, at]
            cell$variance <- moments$variance[, at]
        }
        row <- .schemeRow(cell, d, options)
        still[i] <- is.null(row)
        if (still[i]) {
            k <- length(near)
            row <- list(probabilities = rep(1 / k, k), logits = numeric(k))
        }
        rows[[i]] <- row
        if (!is.null(job$progress)) job$progress(i, n)
    }
    list(
        probabilities = lapply(rows, `[[`, "probabilities"),
        logits = lapply(rows, `[[`, "logits"), still = which(still)
    )
}

.schemeMoments <- function(job, d, first, last) {
    moments <- .native(
        job, rs_kernel_velocity_moments, d$graph, d$native, first, last,
        cell_names = d$cells
    )
    lapply(moments, matrix, nrow = nrow(d$v))
}

# One cell: list(probabilities, logits), or NULL without a velocity.
.schemeRow <- function(cell, d, options) {
    call <- function(v, D = cell$D) .callScheme(cell, v, D, options)
    switch(options$model,
        deterministic = {
            if (options$direction == "transpose") {
                return(call(t(d$v[, cell$near, drop = FALSE]), -cell$D))
            }
            v <- d$v[, cell$i]
            if (all(v == 0)) return(NULL)
            call(if (options$direction == "negate") -v else v)
        },
        stochastic = {
            if (all(cell$mean == 0)) return(NULL)
            row <- call(cell$mean)
            row$probabilities <- .unwrap(rs_similarity_expected(
                row$probabilities, .callHessian(cell, options), cell$variance
            ), call = cell$call)
            row
        },
        monte_carlo = {
            if (all(cell$mean == 0) && all(cell$variance == 0)) return(NULL)
            .schemeDraws(cell, call, options)
        }
    )
}

# Averages over draws.
.schemeDraws <- function(cell, call, options) {
    drawn <- .unwrap(rs_kernel_velocity_draws(
        options, cell$i, cell$mean, cell$variance
    ), call = cell$call)
    drawn <- matrix(drawn, length(cell$mean))
    sum <- list(probabilities = 0, logits = 0)
    for (s in seq_len(ncol(drawn))) {
        row <- call(drawn[, s])
        sum$probabilities <- sum$probabilities + row$probabilities
        sum$logits <- sum$logits + row$logits
    }
    lapply(sum, `/`, ncol(drawn))
}

# The user's probabilities and logits, checked.
.callScheme <- function(cell, v, D, options) {
    if (is.null(dim(v))) v <- matrix(v, 1L)
    out <- computeSimilarity(options$similarity, v, D, options$softmax_scale)
    k <- nrow(D)
    named <- c("probabilities", "logits")
    if (is.list(out) && all(named %in% names(out))) out <- out[named]
    good <- is.list(out) && length(out) == 2L &&
        all(vapply(out, is.numeric, logical(1)))
    if (!good || !all(lengths(out) == k)) {
        .abort(
            "shape", paste0(
                "The similarity must return a list of probabilities and ",
                "logits, ", k, " of each for cell ", .someNames(cell$name),
                ", not ", .describe(out), if (is.list(out)) paste0(
                    " with entries of length ",
                    paste(lengths(out), collapse = " and ")
                ), "."
            ), expected = k, found = unname(lengths(out)), cells = cell$name,
            call = cell$call
        )
    }
    out <- lapply(out, as.double)
    names(out) <- named
    .checkSchemeRow(out, cell)
    out
}

.checkSchemeRow <- function(out, cell) {
    total <- sum(out$probabilities)
    bad <- !is.finite(total) || any(out$probabilities < 0) ||
        abs(total - 1) > 1e-5
    if (bad) {
        .abort(
            "not_stochastic", paste0(
                "The probabilities that the similarity returned for cell ",
                .someNames(cell$name), " do not sum to one or are negative ",
                "(sum ", format(total), ")."
            ), sum = total, cells = cell$name, call = cell$call
        )
    }
    if (!all(is.finite(out$logits))) {
        .abort(
            "range", paste0(
                "The logits that the similarity returned for cell ",
                .someNames(cell$name), " are not all finite."
            ), cells = cell$name, call = cell$call
        )
    }
}

# Diagonal second derivatives, neighbours x features.
.callHessian <- function(cell, options) {
    size <- dim(cell$D)
    h <- hessian(
        options$similarity, matrix(cell$mean, 1L), cell$D,
        options$softmax_scale
    )
    full <- c(size, size[2L])
    if (is.numeric(h) && length(dim(h)) == 3L && all(dim(h) == full)) {
        at <- cbind(
            rep(seq_len(size[1L]), size[2L]),
            rep(seq_len(size[2L]), each = size[1L])
        )
        return(as.double(h[at[, c(1L, 2L, 2L), drop = FALSE]]))
    }
    if (is.numeric(h) && length(dim(h)) == 2L && all(dim(h) == size)) {
        return(as.double(h))
    }
    .abort(
        "shape", paste0(
            "The Hessian for cell ", .someNames(cell$name), " must be ",
            paste(size, collapse = " x "), " or ",
            paste(full, collapse = " x "), ", not ",
            if (is.null(dim(h))) .describe(h) else {
                paste(dim(h), collapse = " x ")
            }, "."
        ), expected = size, found = dim(h), cells = cell$name,
        call = cell$call
    )
}
