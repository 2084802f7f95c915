# Cells whose velocities agree up to noise, on a ring of neighbours.
ring <- function(n = 40, g = 9, noise = 0.4) {
    withr::with_seed(7, {
        x <- matrix(rnorm(n * g), n)
        v <- rep(rnorm(g), each = n) + noise * matrix(rnorm(n * g), n)
    })
    graph <- matrix(0, n, n)
    for (o in c(1, 2, 4)) {
        graph[cbind(seq_len(n), (seq_len(n) + o - 1) %% n + 1)] <- 1
    }
    graph <- pmax(graph, t(graph))
    cells <- paste0("c", seq_len(n))
    dimnames(graph) <- list(cells, cells)
    sce <- SingleCellExperiment::SingleCellExperiment(list(
        Ms = t(x), velocity = t(v)
    ))
    dimnames(sce) <- list(paste0("g", seq_len(g)), cells)
    sce <- .writeGraph(sce, "connectivities", .asGeneral(graph))
    list(sce = sce, x = x, v = v, graph = graph)
}

schemes <- function() {
    list(
        cosine = Cosine(), correlation = Correlation(),
        dot_product = DotProduct()
    )
}

slowSimilarity <- function(name, v, D, beta) {
    if (name == "correlation") {
        v <- v - mean(v)
        D <- D - rowMeans(D)
    }
    s <- as.vector(D %*% v)
    if (name != "dot_product") s <- s / sqrt(sum(v^2)) / sqrt(rowSums(D^2))
    list(probabilities = exp(beta * s) / sum(exp(beta * s)), logits = s)
}

# The scheme by name, written in R, with the Hessian of the core.
inR <- function(name) {
    f <- function(v, D, softmax_scale) {
        rows <- lapply(seq_len(nrow(D)), function(j) {
            v <- v[if (nrow(v) == 1L) 1L else j, ]
            slowSimilarity(name, v, D[j, , drop = FALSE], softmax_scale)$logits
        })
        s <- unlist(rows)
        w <- exp(softmax_scale * s)
        list(w / sum(w), s)
    }
    attr(f, "hessian") <- function(v, D, softmax_scale) {
        hessian(schemes()[[name]], v, D, softmax_scale)
    }
    f
}

test_that("schemes work on matrices by themselves", {
    withr::local_seed(3)
    v <- rnorm(6)
    D <- matrix(rnorm(24), 4)
    for (name in names(schemes())) {
        scheme <- schemes()[[name]]
        found <- computeSimilarity(scheme, v, D, softmax_scale = 1.7)
        expect_equal(found, slowSimilarity(name, v, D, 1.7), tolerance = 1e-13)
        expect_identical(computeSimilarity(scheme, t(v), D, 1.7), found)
        many <- computeSimilarity(scheme, rbind(v, v, v, v), D, 1.7)
        expect_identical(many, found)
        expect_output(show(scheme), paste0(class(scheme), "()"), fixed = TRUE)
    }
    D[2, ] <- 0
    masked <- computeSimilarity(Cosine(), v, D)
    expect_identical(masked$probabilities[2], 0)
    expect_identical(masked$logits[2], 0)
    expect_equal(sum(masked$probabilities), 1)
})

test_that("Hessians are second differences", {
    withr::local_seed(4)
    v <- rnorm(5)
    D <- matrix(rnorm(15), 3)
    for (scheme in schemes()) {
        p <- function(v) computeSimilarity(scheme, v, D, 2)$probabilities
        h <- hessian(scheme, v, D, softmax_scale = 2)
        expect_identical(dim(h), c(3L, 5L))
        for (g in seq_len(5)) {
            e <- 1e-4 * (seq_len(5) == g)
            slow <- (p(v + e) - 2 * p(v) + p(v - e)) / 1e-8
            expect_equal(h[, g], slow, tolerance = 1e-5)
        }
        expect_lt(max(abs(colSums(h))), 1e-14)
    }
})

test_that("what schemes cannot use is refused", {
    D <- matrix(rnorm(6), 2)
    expectFailure(computeSimilarity(Cosine(), 1:4, D), "shape")
    expectFailure(computeSimilarity(Cosine(), matrix(1, 3, 3), D), "shape")
    expectFailure(computeSimilarity(Cosine(), c(1, NA, 2), D), "range")
    expectFailure(computeSimilarity(Cosine(), 1:3, D, 0), "range")
    expectFailure(computeSimilarity(Cosine(), "a", D), "type")
    expectFailure(computeSimilarity(Cosine(), 1:3, 1:3), "type")
    expectFailure(computeSimilarity(Cosine(), 1:3, D, scale = 2),
        "unknown_argument")
    expectFailure(hessian(Cosine(), matrix(1, 2, 3), D), "shape",
        list(expected = 1L, found = 2L))
    expectFailure(hessian(function(v, D, b) 1, 1:3, D), "type")
})

test_that("a name, its object and the same in R give one matrix", {
    d <- ring()
    k <- VelocityKernel(d$sce)
    for (name in names(schemes())) {
        for (model in c("deterministic", "stochastic")) {
            by_name <- computeTransitionMatrix(
                k, model = model, similarity = name
            )
            by_object <- computeTransitionMatrix(
                k, model = model, similarity = schemes()[[name]]
            )
            expect_identical(
                transitionMatrix(by_object), transitionMatrix(by_name)
            )
            expect_identical(parameters(by_object), parameters(by_name))
            by_hand <- expectQuiet(computeTransitionMatrix(
                k, model = model, similarity = inR(name)
            ))
            expect_equal(
                transitionMatrix(by_hand), transitionMatrix(by_name),
                tolerance = 1e-12
            )
            expect_equal(
                parameters(by_hand)$softmax_scale,
                parameters(by_name)$softmax_scale, tolerance = 1e-13
            )
            expect_true(is.function(parameters(by_hand)$similarity))
        }
    }
})

test_that("schemes in R run backward and draw as the core does", {
    d <- ring()
    back <- VelocityKernel(d$sce, backward = TRUE)
    for (mode in c("transpose", "negate")) {
        of <- function(similarity) {
            transitionMatrix(computeTransitionMatrix(
                back, backward_mode = mode, similarity = similarity
            ))
        }
        expect_equal(of(inR("cosine")), of("cosine"), tolerance = 1e-12)
    }
    drawn <- function(similarity) {
        transitionMatrix(computeTransitionMatrix(
            VelocityKernel(d$sce), model = "monte_carlo", n_samples = 9,
            random_state = 5, similarity = similarity
        ))
    }
    expect_equal(drawn(inR("cosine")), drawn("cosine"), tolerance = 1e-12)
})

test_that("a class of one's own is a scheme", {
    where <- environment()
    methods::setClass("Uniform", contains = "SimilarityScheme", where = where)
    methods::setMethod("computeSimilarity", "Uniform", function(
            scheme, v, D, softmax_scale = 1, ...) {
        k <- nrow(D)
        list(probabilities = rep(1 / k, k), logits = rep(0.5, k))
    }, where = where)
    withr::defer({
        methods::removeMethod("computeSimilarity", "Uniform", where = where)
        methods::removeClass("Uniform", where = where)
    })
    d <- ring()
    k <- VelocityKernel(d$sce)
    found <- computeTransitionMatrix(k, similarity = methods::new("Uniform"))
    expect_equal(
        unname(as.matrix(transitionMatrix(found))),
        unname(d$graph / rowSums(d$graph)), tolerance = 1e-14
    )
    expect_equal(parameters(found)$softmax_scale, 2)
    # Without second derivatives, draws.
    w <- expect_warning(
        drawn <- computeTransitionMatrix(
            k, model = "stochastic", similarity = methods::new("Uniform"),
            n_samples = 3
        ), class = "fatecast_warning_replaced_argument"
    )
    expect_identical(w$used, "monte_carlo")
    expect_identical(parameters(drawn)$model, "monte_carlo")
    expect_identical(parameters(drawn)$n_samples, 3)
})

test_that("a class that replaces a similarity loses its Hessian", {
    where <- environment()
    methods::setClass("Halved", contains = "Cosine", where = where)
    withr::defer(methods::removeClass("Halved", where = where))
    expect_true(.hasHessian(methods::new("Halved")))
    methods::setMethod("computeSimilarity", "Halved", function(
            scheme, v, D, softmax_scale = 1, ...) {
        computeSimilarity(Cosine(), v, D, softmax_scale / 2)
    }, where = where)
    withr::defer(methods::removeMethod(
        "computeSimilarity", "Halved", where = where
    ), priority = "first")
    expect_false(.hasHessian(methods::new("Halved")))
})

test_that("a full Hessian counts by its diagonal", {
    d <- ring(n = 20, g = 4)
    k <- VelocityKernel(d$sce)
    full <- inR("cosine")
    attr(full, "hessian") <- function(v, D, softmax_scale) {
        h <- hessian(Cosine(), v, D, softmax_scale)
        g <- ncol(D)
        out <- array(17, c(nrow(D), g, g))
        for (i in seq_len(g)) out[, i, i] <- h[, i]
        out
    }
    of <- function(similarity) {
        transitionMatrix(computeTransitionMatrix(
            k, model = "stochastic", similarity = similarity
        ))
    }
    expect_equal(of(full), of("cosine"), tolerance = 1e-12)
    attr(full, "hessian") <- function(v, D, softmax_scale) t(D)
    e <- expectFailure(of(full), "shape")
    expect_identical(e$expected, c(6L, 4L))
    expect_identical(e$found, c(4L, 6L))
    expect_identical(e$cells, "c1")
})

test_that("what a similarity returns is checked", {
    k <- VelocityKernel(ring()$sce)
    fails <- function(f, kind) {
        expectFailure(computeTransitionMatrix(k, similarity = f), kind)
    }
    twice <- function(v, D, beta) list(rep(0.5, nrow(D)), rep(1, nrow(D)))
    e <- fails(twice, "not_stochastic")
    expect_identical(e$cells, "c1")
    expect_identical(e$sum, 3)
    e <- fails(function(v, D, beta) list(1, 1), "shape")
    expect_identical(e$expected, 6L)
    fails(function(v, D, beta) rep(1 / nrow(D), nrow(D)), "shape")
    fails(function(v, D, beta) {
        list(rep(1 / nrow(D), nrow(D)), rep(NaN, nrow(D)))
    }, "range")
    fails(function(v, D, beta) {
        list(rep(1 / nrow(D), nrow(D)), rep(0, nrow(D)))
    }, "no_state")
    fails("pearson", "range")
    e <- fails(42, "type")
    expect_match(conditionMessage(e), "function(v, D, softmax_scale)",
        fixed = TRUE)
})
