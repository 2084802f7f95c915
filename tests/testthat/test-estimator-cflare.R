# Eigenvectors of base R in the place of ours, so that only what follows is
# tested.
withEigen <- function(fit, k = 10) {
    m <- as.matrix(transitionMatrix(fit))
    sides <- lapply(list(right = m, left = t(m)), function(side) {
        found <- eigen(side)
        top <- order(-Re(found$values))[seq_len(k)]
        list(values = found$values[top], vectors = found$vectors[, top])
    })
    .setStep(fit, "eigen", list(
        D = as.complex(sides$right$values), V_l = sides$left$vectors,
        V_r = sides$right$vectors, eigengap = 3L
    ), list(k = k), list(residual = 1e-14))
}

cflare <- function() {
    once("cflare", withEigen(CFLARE(
        0.8 * VelocityKernel(tree()) + 0.2 * ConnectivityKernel(tree()),
        n_threads = 2
    )))
}

predicted <- function(...) {
    suppressWarnings(predictTerminalStates(cflare(), ...))
}

leftVectors <- function(use) Re(cflare()@results$eigen$V_l[, use])

leadingCells <- function(use, percentile) {
    left <- abs(leftVectors(use))
    least <- apply(left, 2, stats::quantile, probs = percentile / 100)
    rowSums(sweep(left, 2, least, ">=")) > 0
}

test_that("the leading cells are clustered and every cell is scored", {
    for (method in c("leiden", "kmeans")) {
        fit <- predicted(use = 4, percentile = 95, method = method)
        states <- terminalStates(fit)
        expect_identical(
            unname(!is.na(states)), unname(leadingCells(1:4, 95))
        )
        expect_identical(names(states), colnames(tree()))
        expect_identical(levels(states)[1], "0")
    }
    expect_identical(nlevels(states), 4L)
    left <- abs(leftVectors(1:4))
    scaled <- apply(left, 2, function(v) (v - min(v)) / diff(range(v)))
    values <- Re(cflare()@results$eigen$D[1:4])
    score <- rowSums(sweep(scaled, 2, values, "/"))
    expect_equal(
        fit@results$terminal$probs, score / max(score), tolerance = 1e-12,
        ignore_attr = TRUE
    )
})

test_that("clusters are separated in the right eigenvectors", {
    fit <- predicted(use = 4, method = "kmeans")
    states <- terminalStates(fit)
    right <- Re(cflare()@results$eigen$V_r[, 1:4])
    kept <- which(!is.na(states))
    away <- as.matrix(stats::dist(right[kept, ]))
    same <- outer(states[kept], states[kept], "==")
    # Every cell is nearer to the mean of its own cluster than to any other.
    means <- rowsum(right[kept, ], as.integer(states[kept])) /
        tabulate(states[kept])
    nearest <- apply(right[kept, ], 1, function(p) {
        which.min(colSums((t(means) - p)^2))
    })
    expect_identical(unname(nearest), as.integer(states[kept]))
    expect_lt(mean(away[same]), mean(away[!same]) / 2)
})

test_that("the number of vectors follows the eigengap, positions are taken", {
    params <- function(...) parameters(predicted(...), "term_states_fwd")
    expect_identical(params()$use, 1:4)
    expect_identical(params(use = 2)$use, 1:2)
    expect_identical(params(use = c(2, 4))$use, c(2L, 4L))
    two <- terminalStates(predicted(use = c(2, 4), percentile = 99))
    expect_identical(
        unname(!is.na(two)), unname(leadingCells(c(2, 4), 99))
    )
})

test_that("without a percentile all cells are in a state", {
    fit <- predicted(use = 3, percentile = NULL, method = "kmeans")
    expect_false(anyNA(terminalStates(fit)))
    expect_identical(nlevels(terminalStates(fit)), 4L)
    two <- predicted(
        percentile = NULL, method = "kmeans", n_clusters_kmeans = 2
    )
    expect_identical(nlevels(terminalStates(two)), 2L)
})

test_that("cells whose neighbours are elsewhere are dropped", {
    whole <- terminalStates(predicted(use = 4, percentile = 90))
    fit <- predicted(
        use = 4, percentile = 90, n_matches_min = 5, n_neighbors_filtering = 10
    )
    near <- .readDistances(tree(), "distances")$indices[, 1:10]
    label <- as.integer(whole)
    matches <- vapply(seq_along(label), function(i) {
        sum(label[near[i, ]] == label[i], na.rm = TRUE)
    }, 1)
    kept <- !is.na(whole) & matches >= 5
    expect_lt(sum(kept), sum(!is.na(whole)))
    expect_identical(unname(!is.na(terminalStates(fit))), unname(kept))
    expect_warning(
        predictTerminalStates(
            cflare(), use = 4, percentile = 90, n_matches_min = 9,
            n_neighbors_filtering = 10
        ),
        class = "fatecast_warning_dropped"
    )
    expectFailure(predicted(n_matches_min = 16), "no_state")
})

test_that("an embedding adds features, which are then standardised", {
    fit <- predicted(use = 3, basis = "PCA", method = "kmeans")
    params <- parameters(fit, "term_states_fwd")
    expect_true(params$scale)
    expect_identical(params$n_comps, 5L)
    plain <- predicted(use = 3, method = "kmeans")
    expect_false(parameters(plain, "term_states_fwd")$scale)
    z <- matrix(
        .unwrap(rs_cflare_standardize(c(1, 5, 9, 2, 2, 2), 3L, 2L)), 3
    )
    expect_equal(z[, 1], c(-1, 0, 1) * sqrt(1.5))
    expect_identical(z[, 2], c(0, 0, 0))
})

test_that("a reference clustering names and colours the states", {
    fit <- predicted(use = 4, cluster_key = "cell_type")
    states <- levels(terminalStates(fit))
    clusters <- levels(factor(tree()$cell_type))
    expect_true(all(sub("_[0-9]+$", "", states) %in% clusters))
    fit <- computeFateProbabilities(fit)
    fates <- fateProbabilities(fit)
    expect_identical(lineageNames(fates), states)
    expect_identical(
        unname(lineageColors(fates)), fit@results$terminal$colors
    )
    expect_equal(unname(rowSums(fates)), rep(1, 600), tolerance = 1e-6)
    expect_identical(
        terminalStates(container(fit)), terminalStates(fit)
    )
})

test_that("the state of R's generator stays, and the seed is recorded", {
    set.seed(7)
    before <- .Random.seed
    one <- predicted(use = 4, method = "kmeans", random_state = 3)
    expect_identical(.Random.seed, before)
    expect_identical(
        terminalStates(one),
        terminalStates(predicted(use = 4, method = "kmeans", random_state = 3))
    )
    params <- function(fit) parameters(fit, "term_states_fwd")$random_state
    expect_identical(params(one), 3L)
    set.seed(7)
    drawn <- params(predicted(random_state = NULL))
    set.seed(7)
    expect_identical(drawn, params(predicted(random_state = NULL)))
    rm(list = ".Random.seed", envir = globalenv())
    predicted(use = 4, method = "kmeans")
    expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})

test_that("a Seurat object gives the same states", {
    object <- seuratFrom(tree())
    fit <- cflare()
    fit@container <- object
    arguments <- list(
        use = 3, basis = "pca", cluster_key = "cell_type", percentile = 95
    )
    run <- function(fit) {
        suppressWarnings(do.call(predictTerminalStates, c(fit, arguments)))
    }
    expect_identical(
        levels(terminalStates(run(fit))), levels(terminalStates(run(cflare())))
    )
    expect_identical(
        as.integer(terminalStates(run(fit))),
        as.integer(terminalStates(run(cflare())))
    )
    expect_identical(
        terminalStates(container(run(fit))), terminalStates(run(fit))
    )
})

test_that("an estimator comes back from its object and from a file", {
    fit <- computeFateProbabilities(
        predicted(use = 4, cluster_key = "cell_type")
    )
    file <- withr::local_tempfile(fileext = ".rds")
    writeEstimator(fit, file)
    for (again in list(
        fromObject(container(fit), as = "CFLARE"), readEstimator(file)
    )) {
        expect_s4_class(again, "CFLARE")
        expect_identical(terminalStates(again), terminalStates(fit))
        expect_equal(fateProbabilities(again), fateProbabilities(fit))
    }
})

test_that("states of one's own replace those predicted", {
    fit <- setTerminalStates(
        predicted(use = 4), list(first = 1:5, second = 6:9)
    )
    expect_identical(
        as.vector(table(terminalStates(fit))), c(5L, 4L)
    )
    expect_null(fit@results$terminal$probs)
})

test_that("complex left vectors are used by their real part", {
    fit <- cflare()
    plain <- predicted(use = 4)
    fit@results$eigen$V_l <- fit@results$eigen$V_l + 0.1i
    expect_warning(
        out <- predictTerminalStates(fit, use = 4),
        class = "fatecast_warning_fallback"
    )
    expect_identical(terminalStates(out), terminalStates(plain))
})

test_that("what is missing or does not fit is an error", {
    bare <- CFLARE(blocks())
    expectFailure(predictTerminalStates(bare), "not_computed")
    expectFailure(computeFateProbabilities(bare), "not_computed")
    only <- cflare()
    only@results$eigen["V_l"] <- list(NULL)
    expectFailure(predictTerminalStates(only), "not_computed")
    expectFailure(predicted(use = 1000), "range", list(max = 10L))
    expectFailure(predicted(use = c(1, 11)), "range")
    expectFailure(predicted(use = 0), "range")
    expectFailure(predicted(use = c(1, 1)), "range")
    expectFailure(predicted(use = "1"), "type")
    expectFailure(predicted(percentile = 101), "range")
    expectFailure(predicted(method = "louvain"), "range")
    expectFailure(predicted(basis = "nothing"), "missing_key")
    expectFailure(predicted(basis = "PCA", n_comps = 1000), "range")
    expectFailure(
        predicted(
            percentile = 99, use = 2, method = "kmeans", n_clusters_kmeans = 13
        ), "range", list(value = 13L)
    )
    expectFailure(
        predicted(neighbors_key = "x", n_matches_min = 1), "missing_key"
    )
    expectFailure(predicted(cluster_key = "nothing"), "missing_key")
    expectFailure(predicted(k = 3), "unknown_argument")
    negative <- cflare()
    negative@results$eigen$D[2] <- -0.5
    expectFailure(predictTerminalStates(negative, use = 2), "range")
})

test_that("one cell is one state", {
    fit <- predicted(use = 1, percentile = 100)
    expect_identical(as.vector(table(terminalStates(fit))), 1L)
})

test_that("the same bits on any number of threads", {
    expectSameBits(function(threads) {
        predicted(use = 4, n_threads = threads)@results$terminal
    })
})

test_that("printing says what comes next", {
    text <- utils::capture.output(show(CFLARE(blocks())))
    expect_identical(text[1], "CFLARE on 15 cells")
    expect_match(text, "next: computeEigendecomposition()", fixed = TRUE,
        all = FALSE
    )
})

test_that("the package's own eigenvectors give the same states", {
    own <- computeEigendecomposition(cflare(), k = 10)
    fit <- suppressWarnings(
        predictTerminalStates(own, use = 4, method = "kmeans")
    )
    expect_identical(
        terminalStates(fit),
        terminalStates(predicted(use = 4, method = "kmeans"))
    )
})
