# Laws that hold for every kernel and every object: generated data.

# Cells of a random simulation with a graph of random density.
generatedTissue <- function(seed) {
    withr::with_seed(seed, {
        n <- sample(c(25L, 60L, 130L), 1L)
        k <- sample(4:12, 1L)
        shape <- sample(c("linear", "bifurcation", "tree"), 1L)
    })
    x <- simulateDifferentiation(
        n, 30, topology = shape, random_state = seed
    )
    x <- buildNeighbors(x, n_neighbors = k, n_threads = 1)
    # Neighbours of equal weight would be told apart by their order.
    m <- cellGraph(x, "connectivities")
    withr::with_seed(seed, noise <- stats::runif(n, 0.9, 1.1))
    scaled <- Matrix::Diagonal(x = noise)
    .writeGraph(x, "connectivities", scaled %*% m %*% scaled)
}

# Every way from such an object to a matrix, by name.
kernelMakers <- function() {
    velocity <- function(x, ...) {
        computeTransitionMatrix(VelocityKernel(x, backward = FALSE), ...)
    }
    backward <- function(x, ...) {
        computeTransitionMatrix(VelocityKernel(x, backward = TRUE), ...)
    }
    time <- function(x, ...) {
        computeTransitionMatrix(
            PseudotimeKernel(x, "pseudotime"), empty_rows = "self", ...
        )
    }
    cytotrace <- function(x, ...) {
        suppressMessages(suppressWarnings(computeTransitionMatrix(
            computeCytotrace(CytoTRACEKernel(x), n_genes = 8),
            empty_rows = "self", ...
        )))
    }
    list(
        correlation = velocity,
        cosine = function(x, ...) velocity(x, similarity = "cosine", ...),
        dot = function(x, ...) velocity(
            x, similarity = "dot_product", softmax_scale = 0.1, ...
        ),
        stochastic = function(x, ...) velocity(x, model = "stochastic", ...),
        transpose = backward,
        negate = function(x, ...) backward(x, backward_mode = "negate", ...),
        connectivity = function(x, ...) {
            computeTransitionMatrix(ConnectivityKernel(x), ...)
        },
        plain = function(x, ...) computeTransitionMatrix(
            ConnectivityKernel(x), density_normalize = FALSE, ...
        ),
        hard = time,
        soft = function(x, ...) time(x, threshold_scheme = "soft", ...),
        cytotrace = cytotrace
    )
}

transitions <- function(make, x, ...) {
    transitionMatrix(suppressWarnings(make(x, n_threads = 1, ...)))
}

# The same tissue with the graph of its own in another order of cells.
reordered <- function(x, order) {
    y <- x[, order]
    m <- cellGraph(x, "connectivities")[order, order]
    y <- .removeResults(y, c("connectivities", "distances", "neighbors"))
    .writeGraph(y, "connectivities", m)
}

test_that("rows sum to one and no edge is invented", {
    for (seed in 1:4) {
        x <- generatedTissue(seed)
        edges <- as.matrix(cellGraph(x, "connectivities")) > 0
        for (make in kernelMakers()) {
            m <- transitions(make, x)
            expect_equal(
                unname(Matrix::rowSums(m)), rep(1, ncol(x)), tolerance = 1e-12
            )
            expect_true(all(m@x > 0))
            off <- as.matrix(m) > 0 & !edges
            diag(off) <- FALSE
            expect_false(any(off))
        }
    }
})

test_that("order of cells, unit of the graph, names of genes do not matter", {
    for (seed in 5:7) {
        x <- generatedTissue(seed)
        order <- withr::with_seed(seed, sample.int(ncol(x)))
        turned <- reordered(x, order)
        scaled <- .writeGraph(
            x, "connectivities", cellGraph(x, "connectivities") * 3
        )
        renamed <- x
        rownames(renamed) <- rev(paste0("other", seq_len(nrow(x))))
        for (make in kernelMakers()) {
            m <- transitions(make, x)
            expect_equal(
                transitions(make, turned), m[order, order], tolerance = 1e-10
            )
            expect_equal(transitions(make, scaled), m, tolerance = 1e-12)
            expect_equal(transitions(make, renamed), m, tolerance = 1e-12)
        }
    }
})

test_that("threads and containers leave every bit alone", {
    x <- generatedTissue(8)
    same <- list(x)
    if (requireNamespace("SeuratObject", quietly = TRUE)) {
        same$seurat <- seuratFrom(x)
    }
    for (make in kernelMakers()) {
        want <- transitions(make, x)
        for (y in same) {
            for (threads in c(1, 2, 4)) {
                expect_identical(
                    transitionMatrix(suppressWarnings(
                        make(y, n_threads = threads)
                    )), want
                )
            }
        }
    }
})

# The rules of the algebra, written once more: nodes are leaves (matrices),
# weighted nodes, products of two and sums.
oracle <- local({
    norm <- function(m) m / rowSums(m)
    is <- function(e, type) e$type %in% type
    node <- function(type, of, weight = 1) {
        list(type = type, of = of, weight = weight)
    }
    scale <- function(w, e) {
        if (is(e, "weighted")) w <- w * e$weight
        node("weighted", if (is(e, "weighted")) e$of else e, w)
    }
    wrap <- function(e) {
        if (is(e, c("weighted", "product"))) e else scale(1, e)
    }
    flat <- function(e) {
        is(e, "sum") && all(vapply(e$of, is, NA, "weighted"))
    }
    add <- function(a, b) {
        if (!is(a, "sum")) a <- wrap(a)
        if (!is(b, "sum")) b <- wrap(b)
        of <- if (flat(a) && !is(b, "sum")) {
            c(a$of, list(b))
        } else if (flat(b) && !is(a, "sum")) {
            c(list(a), b$of)
        } else {
            list(wrap(a), wrap(b))
        }
        node("sum", of)
    }
    value <- function(e) {
        switch(e$type,
            leaf = e$of,
            weighted = value(e$of),
            product = norm(value(e$of[[1]]) * value(e$of[[2]])),
            sum = {
                w <- vapply(e$of, function(o) o$weight, 1)
                Reduce("+", Map(function(w, o) w * value(o), w / sum(w), e$of))
            }
        )
    }
    list(
        leaf = function(m) node("leaf", m), scale = scale, add = add,
        multiply = function(a, b) node("product", list(wrap(a), wrap(b))),
        value = value
    )
})

# A random expression, as kernel and as oracle.
generatedExpression <- function(leaves, depth) {
    pick <- if (depth == 0) 0 else stats::runif(1)
    if (pick < 0.15) {
        k <- leaves[[sample.int(length(leaves), 1L)]]
        return(list(
            kernel = k, oracle = oracle$leaf(as.matrix(transitionMatrix(k)))
        ))
    }
    a <- generatedExpression(leaves, depth - 1)
    if (pick < 0.4) {
        w <- stats::runif(1, 0.1, 5)
        return(list(kernel = w * a$kernel, oracle = oracle$scale(w, a$oracle)))
    }
    b <- generatedExpression(leaves, depth - 1)
    if (pick < 0.8) {
        list(
            kernel = a$kernel + b$kernel,
            oracle = oracle$add(a$oracle, b$oracle)
        )
    } else {
        list(
            kernel = a$kernel * b$kernel,
            oracle = oracle$multiply(a$oracle, b$oracle)
        )
    }
}

test_that("any expression is what the rules of the algebra say", {
    withr::with_seed(11, {
        leaves <- lapply(1:3, function(i) {
            m <- matrix(stats::runif(49, 0.01, 1), 7)
            dimnames(m) <- list(letters[1:7], letters[1:7])
            PrecomputedKernel(m)
        })
        for (trial in 1:60) {
            e <- generatedExpression(leaves, 4)
            expect_equal(
                as.matrix(transitionMatrix(e$kernel)), oracle$value(e$oracle),
                tolerance = 1e-12
            )
        }
    })
})
