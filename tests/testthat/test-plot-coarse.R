test_that("tiles are the coarse matrix and the distributions", {
    fit <- fitted()
    t <- coarseTransition(fit)
    data <- plotCoarseTData(fit, show_initial_dist = TRUE)
    tiles <- data[data$part == "transition", ]
    expect_identical(
        tiles$value, t[cbind(as.character(tiles$from), as.character(tiles$to))]
    )
    expect_identical(nrow(tiles), length(t))
    initial <- data[data$part == "initial", ]
    chi <- as.matrix(memberships(fit))
    expect_equal(
        initial$value, unname(colMeans(chi)[as.character(initial$to)])
    )
    stored <- plotCoarseTData(container(fit), show_initial_dist = TRUE)
    expect_identical(stored, data)
})

test_that("states are ordered as asked", {
    fit <- fitted()
    t <- coarseTransition(fit)
    order <- function(by) levels(plotCoarseTData(fit, order = by)$to)
    expect_identical(order(NULL), rownames(t))
    expect_false(is.unsorted(diag(t)[order("stability")]))
    expect_false(is.unsorted((colSums(t) - diag(t))[order("incoming")]))
    expect_false(is.unsorted((rowSums(t) - diag(t))[order("outgoing")]))
    fit@results$macrostates$coarse["stationary"] <- list(NULL)
    expect_warning(
        fallen <- order("stat_dist"), class = "fatecast_warning_fallback"
    )
    expect_identical(fallen, order("stability"))
})

test_that("the colours span every strip that is shown", {
    fit <- fitted()
    m <- ncol(coarseTransition(fit))
    high <- c(2, rep(0, m - 1))
    names(high) <- rownames(coarseTransition(fit))
    fit@results$macrostates$coarse$stationary <- high
    limits <- function(...) {
        ggplot2::ggplot_build(
            plotCoarseT(fit, ...)
        )$plot$scales$get_scales("fill")$limits
    }
    expect_identical(limits()[2], 2)
    expect_lt(limits(show_stationary_dist = FALSE)[2], 1.01)
    drawn(plotCoarseT(fit, show_initial_dist = TRUE, title = "coarse"))
    drawn(plotCoarseT(fit, annotate = FALSE, xtick_rotation = 0))
})

test_that("one macrostate has no coarse chain to draw", {
    fit <- computeMacrostates(GPCCA(blocks()), n_states = 1, n_cells = 5)
    expectFailure(plotCoarseT(fit), "no_state")
    expectFailure(plotCoarseT(GPCCA(blocks())), "not_computed")
    expectFailure(plotCoarseT(fitted(), order = "size"), "range")
    expectFailure(plotCoarseT(fitted(), color_map = "red"), "type")
})
