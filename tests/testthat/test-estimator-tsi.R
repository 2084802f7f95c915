tsiFit <- function() {
    once("tsi", suppressWarnings(computeTsi(
        GPCCA(VelocityKernel(tree()), n_threads = 2), 7, tips(), "cell_type",
        n_cells = 15, n_threads = 2
    )))
}

tips <- function() {
    setdiff(levels(tree()$cell_type), c("root", "intermediate"))
}

test_that("the score is that of macrostates computed one number at a time", {
    fit <- tsiFit()
    table <- tsi(fit)
    expect_identical(table$number_of_macrostates, 7:1)
    schur <- suppressWarnings(computeSchur(fit, n_threads = 2))
    below <- 0L
    for (m in 1:7) {
        states <- tryCatch(suppressWarnings(macrostates(computeMacrostates(
            schur, m, n_cells = 15, cluster_key = "cell_type", n_threads = 2
        ))), fatecast_error_no_state = function(e) NULL)
        if (!is.null(states)) {
            below <- length(intersect(
                sub("_[0-9]+$", "", levels(states)), tips()
            ))
        }
        row <- table$number_of_macrostates == m
        expect_identical(table$identified_terminal_states[row], below)
        expect_identical(
            table$optimal_identification[row], min(m, length(tips()))
        )
    }
    expect_identical(attr(table, "score"), sum(
        table$identified_terminal_states
    ) / sum(table$optimal_identification))
    expect_output(show(fit), "terminal state identification: score")
})

test_that("clusters with underscores count under their full name", {
    sce <- tree()
    old <- levels(sce$cell_type)
    levels(sce$cell_type) <- paste0("type_", seq_along(old))
    fit <- suppressWarnings(computeTsi(
        GPCCA(VelocityKernel(sce), n_threads = 2), 7,
        levels(sce$cell_type)[old %in% tips()], "cell_type", n_cells = 15,
        n_threads = 2
    ))
    expect_identical(tsi(fit), tsi(tsiFit()))
})

test_that("an earlier result serves smaller numbers", {
    fit <- tsiFit()
    less <- computeTsi(fit, 4, n_cells = 15)
    expect_identical(
        tsi(less)$identified_terminal_states,
        utils::tail(tsi(fit)$identified_terminal_states, 4)
    )
    # Other cells per state are another question.
    expect_false(identical(
        computeTsi(fit, 4, n_cells = 14)@params$tsi_fwd, less@params$tsi_fwd
    ))
})

test_that("other results are left alone and the score is stored", {
    fit <- fitted()
    more <- suppressWarnings(
        computeTsi(fit, 3, tips(), "cell_type", n_cells = 15, n_threads = 2)
    )
    expect_identical(fateProbabilities(more), fateProbabilities(fit))
    expect_identical(macrostates(more), macrostates(fit))
    object <- container(more)
    expect_identical(tsi(object), tsi(more))
    seurat <- GPCCA(VelocityKernel(seuratFrom(tree())), n_threads = 2)
    seurat <- suppressWarnings(computeTsi(
        seurat, 7, tips(), "cell_type", n_cells = 15, n_threads = 2
    ))
    expect_identical(tsi(seurat), tsi(tsiFit()))
    expect_identical(tsi(container(seurat)), tsi(seurat))
})

test_that("what is missing or unknown is named", {
    fit <- GPCCA(VelocityKernel(tree()), n_threads = 2)
    expectFailure(tsi(fit), "not_computed", list(step = "tsi"))
    expectFailure(tsi(tree()), "not_computed", list(key = "tsi_fwd"))
    expectFailure(
        computeTsi(fit, 4), "type", list(argument = "terminal_states")
    )
    expectFailure(
        computeTsi(fit, 4, tips()), "type", list(argument = "cluster_key")
    )
    expectFailure(
        computeTsi(fit, 4, "nowhere", "cell_type"), "missing_key",
        list(states = "nowhere")
    )
    expectFailure(computeTsi(fit, 0, tips(), "cell_type"), "range")
    expectFailure(computeTsi(fit, 4, tips(), "none"), "missing_key")
    expectFailure(computeTsi(fit, 4, cells = 3), "unknown_argument")
})
