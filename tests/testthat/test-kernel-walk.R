walks_of <- function(data) split(data$cell, data$walk)

small <- function(x, ..., max_iter = 10, basis = NULL, random_state = 3) {
    plotRandomWalksData(
        x, ..., max_iter = max_iter, basis = basis,
        random_state = random_state
    )
}

test_that("a walk has its steps, its start and transitions of the chain", {
    sce <- flowObject()
    data <- small(sce, n_sims = 1, start_ixs = 7, basis = "umap")
    expect_identical(names(data), c("walk", "step", "cell", "x", "y"))
    expect_identical(data$step, 0:10)
    expect_identical(data$walk, rep(1L, 11))
    expect_identical(data$cell[1], "c7")
    m <- flowMatrices(sce)
    at <- match(data$cell, colnames(sce))
    expect_true(all(m$t[cbind(at[-11], at[-1])] > 0))
    expect_identical(cbind(data$x, data$y), m$z[at, ])
    many <- small(sce, n_sims = 70)
    expect_identical(as.vector(table(many$walk)), rep(11L, 70))
    expect_gt(length(unique(many$cell[many$step == 0])), 20)
})

test_that("the seed decides, and walks do not depend on their number", {
    sce <- flowObject()
    expect_identical(small(sce, n_sims = 9), small(sce, n_sims = 9))
    few <- walks_of(small(sce, n_sims = 5))
    many <- walks_of(small(sce, n_sims = 30))
    expect_identical(few, many[1:5])
    other <- walks_of(small(sce, n_sims = 5, random_state = 4))
    expect_false(identical(few, other))
    drawn <- function() withr::with_seed(1, small(sce, random_state = NULL))
    expect_identical(drawn(), drawn())
    expect_identical(
        small(sce, random_state = attr(drawn(), "random_state")), drawn()
    )
})

test_that("max_iter is a number of steps or a fraction of the cells", {
    sce <- flowObject(50)
    steps <- function(max_iter) {
        max(small(sce, n_sims = 2, max_iter = max_iter)$step)
    }
    expect_identical(steps(0.25), 13L)
    expect_identical(steps(0.021), 2L)
    expect_identical(steps(2), 2L)
    for (bad in list(1, 0, -3, 0.02)) {
        expectFailure(steps(bad), "range")
    }
    expectFailure(steps(2.5), "type")
    expectFailure(steps("many"), "type")
})

test_that("walks stop after enough stop cells in a row", {
    sce <- flowObject()
    stops <- colnames(sce)[sce$kind == "a"]
    for (hits in 0:2) {
        data <- small(
            sce, n_sims = 40, max_iter = 300, stop_ixs = stops,
            successive_hits = hits
        )
        for (walk in walks_of(data)) {
            n <- length(walk)
            expect_true(all(utils::tail(walk, hits + 1) %in% stops))
            # One visit fewer does not end a walk; the start does not count.
            if (n > hits + 2) expect_false(walk[n - hits - 1] %in% stops)
            hit <- rle(walk[-1] %in% stops)
            expect_lte(max(hit$lengths[hit$values]), hits + 1)
        }
    }
})

test_that("an absorbing cell keeps the walk", {
    m <- diag(5)
    m[1:4, ] <- 0
    m[cbind(1:4, 2:5)] <- 1
    data <- small(m, n_sims = 3, start_ixs = 1)
    expect_identical(data$cell[data$walk == 1], paste0(
        "cell", c(1:5, rep(5, 6))
    ))
})

test_that("visits follow the transition probabilities", {
    sce <- flowObject(20)
    p <- flowMatrices(sce)$t
    cell <- small(sce, n_sims = 50, max_iter = 4000)
    at <- match(cell$cell, colnames(sce))
    within <- cell$step[-1] > 0
    counts <- table(
        factor(at[-nrow(cell)], 1:20)[within], factor(at[-1], 1:20)[within]
    )
    expected <- p * rowSums(counts)
    used <- p > 0
    expect_true(all(counts[!used] == 0))
    chi <- sum((counts - expected)[used]^2 / expected[used])
    expect_gt(stats::pchisq(chi, sum(used) - 20, lower.tail = FALSE), 1e-3)
})

test_that("sets of cells have many forms", {
    sce <- flowObject()
    same <- list(
        which(sce$kind == "b"), sce$kind == "b",
        colnames(sce)[sce$kind == "b"], list(kind = "b"),
        rev(which(sce$kind == "b")) + 0
    )
    made <- lapply(same, function(set) {
        small(sce, n_sims = 20, start_ixs = set)
    })
    for (one in made[-1]) expect_identical(one, made[[1]])
    first <- made[[1]]$cell[made[[1]]$step == 0]
    expect_true(all(sce$kind[match(first, colnames(sce))] == "b"))
    data <- small(sce, n_sims = 50, start_ixs = list(time = c(0.2, 0.3)))
    at <- unique(sce$time[match(data$cell[data$step == 0], colnames(sce))])
    # Closed: 12/60 and 18/60 belong to it.
    expect_setequal(at, (12:18) / 60)
    two <- small(sce, n_sims = 50, start_ixs = list(kind = c("a", "c")))
    at <- match(two$cell[two$step == 0], colnames(sce))
    expect_setequal(sce$kind[at], c("a", "c"))
})

test_that("sets that make no sense are refused, with their names", {
    sce <- flowObject()
    failed <- function(set, kind, ...) {
        expectFailure(
            small(sce, start_ixs = set), kind,
            list(argument = "start_ixs", ...)
        )
        expectFailure(
            small(sce, stop_ixs = set), kind, list(argument = "stop_ixs", ...)
        )
    }
    failed(1000, "range", value = 1000)
    failed(c(1, 0), "range")
    failed(1.5, "range")
    failed(NA_real_, "range")
    failed(rep(FALSE, 60), "range")
    failed(integer(), "range")
    failed(list(time = c(0.3, 0.2)), "range")
    failed(c(TRUE, FALSE), "shape", n_cells = 60L)
    failed(list(kind = "a", time = c(0, 1)), "shape")
    failed(list("a"), "shape")
    failed(list(time = 0.5), "shape")
    failed(list(kind = c("a", "q")), "missing_key", key = "q")
    failed(c("c1", "other"), "missing_key", key = "other")
    failed(sce$kind, "type")
    expectFailure(small(sce, start_ixs = list(nothing = "a")), "missing_key")
})

test_that("what is no chain or no number of walks is refused", {
    m <- matrix(c(
        0, 2, 1, 0, 2, 0, 0, 3, 1, 0, 0, 1, 0, 3, 1, 0
    ), 4)
    expectFailure(small(m), "not_stochastic", list(count = 4))
    expectFailure(small(diag(3)[, 1:2]), "shape")
    expectFailure(small(-diag(3) + 2 / 3), "not_stochastic")
    sce <- flowObject()
    expectFailure(small(sce, n_sims = 0), "range")
    expectFailure(small(sce, successive_hits = -1), "range")
    expectFailure(small(sce, sims = 3), "unknown_argument")
    expectFailure(small(sce, key = "T_bwd"), "missing_key")
    expectFailure(
        small(SummarizedExperiment::SummarizedExperiment()), "container_class"
    )
    expectFailure(small(sce, basis = "tsne"), "missing_key")
    expectFailure(small(m / rowSums(m), basis = "umap"), "container_class")
    withr::local_options(fatecast.memory_limit = 1e5)
    expectFailure(
        small(sce, n_sims = 1000, max_iter = 100), "memory",
        list(limit = 1e5)
    )
})

test_that("kernels, estimators, objects and matrices walk the same chain", {
    k <- velocityKernel()
    one <- small(k, n_sims = 12, basis = "PCA")
    expect_identical(small(container(k), n_sims = 12, basis = "pca"), one)
    expect_identical(small(GPCCA(k), n_sims = 12, basis = "PCA"), one)
    bare <- small(transitionMatrix(k), n_sims = 12)
    expect_identical(bare$cell, one$cell)
    seurat <- seuratFrom(container(k))
    expect_equal(small(seurat, n_sims = 12, basis = "pca"), one)
    mine <- writeToObject(k, key = "mine")
    expect_identical(small(mine, n_sims = 12, basis = "PCA", key = "mine"), one)
    expectFailure(small(k, key = "T_fwd"), "range", list(argument = "key"))
})

test_that("a kernel must be computed, an expression is", {
    x <- tree()
    expectFailure(
        small(VelocityKernel(x)), "not_computed",
        list(kernel = "VelocityKernel")
    )
    both <- 0.8 * velocityKernel() + 0.2 * ConnectivityKernel(x)
    expect_identical(
        small(both, n_sims = 4),
        small(computeTransitionMatrix(both), n_sims = 4)
    )
})

test_that("any number of threads gives the same walks", {
    k <- velocityKernel()
    expectSameBits(function(threads) {
        small(
            k, n_sims = 60, max_iter = 200, n_threads = threads,
            stop_ixs = list(cell_type = "Alpha")
        )
    })
})
