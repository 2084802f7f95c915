test_that("memberships are memberships, and the coarse chain keeps eigenvalues", {
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
