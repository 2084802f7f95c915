test_that("memberships are such, and the coarse chain keeps eigenvalues", {
    fit <- fitted()
    chi <- as.matrix(memberships(fit))
    expect_gte(min(chi), 0)
    expect_equal(unname(rowSums(chi)), rep(1, nrow(chi)))
    m <- ncol(chi)
    coarse <- eigen(coarseTransition(fit), only.values = TRUE)$values
    expect_equal(
        sort(Re(coarse)), sort(Re(eigenvalues(fit)[seq_len(m)])),
        tolerance = 1e-6
    )
    run <- fit@run[[.keyMacrostates()]]
    expect_gte(run$crispness, run$start_crispness - 1e-12)
})

test_that("the fast optimiser never ends less crisp than the compatible one", {
    sce <- tree()
    fit <- suppressWarnings(
        computeSchur(GPCCA(VelocityKernel(sce), n_threads = 2))
    )
    for (m in 3:7) {
        if (m %in% fit@results$schur$invalid_n_states) next
        crisp <- function(optimizer) {
            suppressWarnings(computeMacrostates(
                fit, n_states = m, n_cells = NULL, optimizer = optimizer
            ))@results$macrostates$crispness
        }
        expect_gte(crisp("auto"), crisp("nelder-mead") - 1e-9)
    }
})

test_that("states are named and coloured by a clustering", {
    fit <- fitted()
    sce <- tree()
    names <- sub("_[0-9]+$", "", levels(macrostates(fit)))
    expect_true(all(names %in% levels(sce$cell_type)))
    expect_identical(names(macrostates(fit)), colnames(sce))
    expectFailure(computeMacrostates(
        fit, n_states = 3, cluster_key = "nope"
    ), "missing_key")
    plain <- suppressWarnings(computeMacrostates(fit, n_states = 3))
    expect_identical(levels(macrostates(plain)), c("0", "1", "2"))
})

test_that("memberships of the pancreas are at least as crisp as the peer's", {
    skip_if_no_reference()
    folder <- referenceFolder()
    reference <- readReference(folder)$reference
    fit <- GPCCA(reference$transition[["combined_0.8v_0.2c"]])
    fit <- suppressWarnings(computeSchur(fit, 20, n_threads = 2))
    fit <- suppressWarnings(computeMacrostates(fit, 11, n_threads = 2))
    crispness <- function(chi) mean(colSums(chi^2) / colSums(chi))
    ours <- as.matrix(memberships(fit))
    expect_equal(crispness(ours), fit@results$macrostates$crispness)
    expect_gt(crispness(ours), crispness(reference$gpcca$memberships) + 0.1)
})

test_that("cells without a state of their own leave an empty level", {
    fit <- fitted()
    chi <- as.matrix(memberships(fit))
    all <- suppressWarnings(computeMacrostates(
        fit, n_states = ncol(chi), n_cells = NULL, cluster_key = "cell_type",
        n_threads = 2
    ))
    expect_false(anyNA(macrostates(all)))
    expect_identical(names(macrostates(all)), rownames(chi))
    expect_identical(
        as.integer(macrostates(all)), unname(max.col(chi, "first"))
    )
    labels <- c(1L, 1L, 3L)
    states <- .nameStates(labels, 3L, NULL, c("a", "b", "c"))
    expect_identical(levels(states$assignment), c("0", "1", "2"))
    named <- .nameStates(labels, 3L, list(
        labels = factor(c("x", "x", "y")), colors = c("#ff0000", "#00ff00")
    ), c("a", "b", "c"))
    expect_identical(named$names[c(1, 3)], c("x", "y"))
    expect_identical(nlevels(named$assignment), 3L)
})

test_that("objects of each class and bare matrices give the same states", {
    sce <- tree()
    compute <- function(x) suppressWarnings(computeMacrostates(
        x, n_states = 4, n_threads = 2
    ))
    one <- compute(GPCCA(VelocityKernel(sce), n_threads = 2))
    two <- compute(GPCCA(VelocityKernel(seuratFrom(sce)), n_threads = 2))
    bare <- compute(GPCCA(transitionMatrix(one)))
    for (other in list(two, bare)) {
        expect_identical(memberships(other), memberships(one))
        expect_identical(coarseTransition(other), coarseTransition(one))
        expect_identical(macrostates(other), macrostates(one))
    }
    expect_identical(macrostates(container(two)), macrostates(two))
})
