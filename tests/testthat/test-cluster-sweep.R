test_that("the Potts profile goes from whole pieces to single cells", {
    a <- ringOfCliques(4L, 4L)
    found <- resolutionProfile(a, c(0, 1.1), n_threads = 2)
    profile <- found$profile
    expect_identical(profile$n_clusters[1L], 1)
    expect_identical(profile$n_clusters[nrow(profile)], 16)
    expect_false(is.unsorted(profile$resolution, strictly = TRUE))
    # Less weight stays inside the higher the resolution.
    expect_false(is.unsorted(rev(profile$internal_weight), strictly = TRUE))
    expect_true(4 %in% profile$n_clusters)
    expect_identical(length(found$labels), nrow(profile))
    expect_identical(names(found$labels[[1L]]), rownames(a))
    expect_identical(
        vapply(found$labels, nlevels, 0L), as.integer(profile$n_clusters)
    )
})

test_that("types with a resolution only, on a range that makes sense", {
    a <- ringOfCliques()
    expectQuiet(resolutionProfile(
        a, c(0.5, 2), partition_type = "RBConfiguration",
        min_diff_resolution = 0.1
    ))
    expectFailure(
        resolutionProfile(a, partition_type = "Surprise"), "range"
    )
    expectFailure(resolutionProfile(a, c(1, 0)), "range")
    expectFailure(resolutionProfile(a, 1), "range")
    expectFailure(resolutionProfile(a, "all"), "type")
})

test_that("the same profile on any number of threads", {
    a <- ringOfCliques()
    expectSameBits(function(threads) {
        resolutionProfile(a, c(0.01, 1), n_threads = threads)
    })
})
