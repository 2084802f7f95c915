test_that("every number has a row, and blocks stand out", {
    fit <- GPCCA(blocks(size = 20))
    table <- macrostateProfile(fit, 2:5, n_cells = 5)
    expect_identical(table$n_states, 2:5)
    expect_true(all(table$valid == is.na(table$reason)))
    three <- table$n_states == 3
    expect_true(table$valid[three])
    expect_identical(table$eigengap, three)
    expect_equal(table$min_chi[three], 0, tolerance = 1e-6)
    expect_equal(table$crispness[three], 1, tolerance = 1e-6)
    expect_equal(table$least_stability[three], 0.99, tolerance = 1e-6)
    expect_true(is.na(table$jaccard[1]))
})

test_that("a row says what computing that number says", {
    fit <- suppressWarnings(computeSchur(
        GPCCA(VelocityKernel(tree()), n_threads = 2), n_threads = 2
    ))
    table <- macrostateProfile(
        fit, 2:8, n_cells = 15, cluster_key = "cell_type", n_threads = 2
    )
    for (at in which(table$valid)) {
        one <- suppressWarnings(computeMacrostates(
            fit, table$n_states[at], n_cells = 15, cluster_key = "cell_type",
            n_threads = 2
        ))
        expect_identical(one@results$macrostates$crispness, table$crispness[at])
        expect_equal(
            min(diag(coarseTransition(one))), table$least_stability[at],
            tolerance = 1e-12
        )
        expect_identical(levels(macrostates(one)), table$states[[at]])
    }
    split <- table$n_states %in% fit@results$schur$invalid_n_states
    expect_false(any(table$valid[split]))
    shares <- table[table$valid, c("jaccard", "nested")]
    expect_true(all(unlist(shares) >= 0 & unlist(shares) <= 1, na.rm = TRUE))
    expect_lte(max(table$adjusted_rand, na.rm = TRUE), 1)
})

test_that("threads change nothing, and arguments are checked", {
    fit <- GPCCA(blocks(size = 20))
    expectSameBits(function(threads) {
        macrostateProfile(fit, 2:6, n_cells = 5, n_threads = threads)
    })
    expectFailure(macrostateProfile(fit, 1:3), "range")
    expectFailure(macrostateProfile(fit, 2:61), "range")
    expectFailure(macrostateProfile(fit, "a"), "type")
    expectFailure(macrostateProfile(tree()), "type")
    # More cells per state than there are: each such number has its reason.
    table <- macrostateProfile(fit, c(2, 4), n_cells = 20)
    expect_identical(table$valid, c(TRUE, FALSE))
    expect_match(table$reason[2], "number of cells per state")
})
