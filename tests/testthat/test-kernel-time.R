methods::setClass(
    "StayKernel", contains = "ExperimentalTimeKernel", where = globalenv()
)
methods::setMethod(
    "computeTransitionMatrix", "StayKernel", function(kernel, ...) {
        t <- experimentalTime(kernel)
        m <- outer(t, t, "<=") + 0
        methods::callNextMethod(
            kernel, matrix = m, params = list(slope = kernel@init$slope)
        )
    }, where = globalenv()
)

staying <- function(time, ...) {
    sce <- smallSCE(length(time))
    SummarizedExperiment::colData(sce)$time <- time
    ExperimentalTimeKernel("StayKernel", sce, "time", ...)
}

test_that("numbers, text and factors are the same times", {
    t <- c(0, 2, 10, 2.5, 0)
    want <- factor(t, levels = c(0, 2, 2.5, 10), ordered = TRUE)
    for (time in list(
        t, as.character(t), ordered(t, levels = c(0, 2, 2.5, 10)),
        factor(t, levels = c(0, 1, 2, 2.5, 10))
    )) {
        k <- expectQuiet(staying(time))
        expect_identical(k@time, want)
        expect_identical(unname(experimentalTime(k)), t)
        expect_identical(names(experimentalTime(k)), k@cell_names)
    }
    # Levels sorted as text.
    expect_warning(
        k <- staying(factor(as.character(t))),
        class = "fatecast_warning_replaced_argument"
    )
    expect_identical(k@time, want)
    expect_identical(staying(c(3L, 1L))@time, factor(
        c(3, 1), levels = c(1, 3), ordered = TRUE
    ))
})

test_that("inversion mirrors time and needs a new computation", {
    k <- computeTransitionMatrix(staying(c(1, 2, 4), slope = 5))
    expect_identical(parameters(k)$slope, 5)
    back <- invertKernel(k)
    expect_identical(unname(experimentalTime(back)), c(4, 3, 1))
    expect_null(back@matrix)
    expect_identical(parameters(back), list())
    m <- as.matrix(transitionMatrix(back))
    expect_equal(unname(m[1L, ]), c(1, 0, 0))
    expect_equal(unname(m[3L, ]), rep(1 / 3, 3))
    expect_identical(staying(c(1, 2), backward = TRUE)@backward, TRUE)
})

test_that("times that cannot be used are refused", {
    cells <- function(time) expectFailure(staying(time), "range")$cells
    expect_identical(cells(c(1, NA, 3, Inf)), c("cell2", "cell4"))
    expect_identical(cells(c("1", NA)), "cell2")
    expect_identical(cells(factor(c(NA, 1, 2))), "cell1")
    e <- expectFailure(staying(c("1", "E7.5")), "type")
    expect_identical(e$values, "E7.5")
    e <- expectFailure(staying(factor(c("early", "late"))), "type")
    expect_identical(e$values, c("early", "late"))
    expectFailure(staying(c(TRUE, FALSE)), "type")
    expect_identical(expectFailure(staying(c(1, 1)), "range")$n, 1L)
    expect_identical(expectFailure(staying(1:101 / 7), "range")$n, 101L)
    expect_identical(nlevels(staying(1:100 / 7)@time), 100L)
    expectFailure(staying(ordered(1:3, levels = c(3, 1, 2))), "range")
    expectFailure(staying(factor(c("1", "1.0"))), "range")
    sce <- smallSCE()
    expectFailure(
        ExperimentalTimeKernel("StayKernel", sce, "nothing"), "missing_key"
    )
    expectFailure(ExperimentalTimeKernel("Kernel", sce, "type"), "type")
    expectFailure(ExperimentalTimeKernel("nothing", sce, "type"), "type")
    expectFailure(
        ExperimentalTimeKernel("ExperimentalTimeKernel", sce, "type"), "type"
    )
    expectFailure(experimentalTime(ConnectivityKernel(diag(3))), "type")
    broken <- staying(c(1, 2))
    broken@time <- broken@time[1L]
    expect_error(methods::validObject(broken), "1 times for 2 cells")
})

test_that("colours of times run with time", {
    expect_identical(
        .gnuplotColors(c(0, 0.25, 1)), c("#000000", "#8004ff", "#ffff00")
    )
    for (x in smallContainers()) {
        x <- .writeCellData(x, list(day = rep(c(1, 2, 5), 4)))
        k <- ExperimentalTimeKernel("StayKernel", x, "day")
        expect_null(.readColors(container(k), "day"))
        colors <- .readColors(
            container(computeTransitionMatrix(k)), "day"
        )
        expect_identical(
            colors, stats::setNames(.gnuplotColors(c(1, 2, 5)), c(1, 2, 5))
        )
        expect_identical(.readColors(writeToObject(k), "day"), colors)
    }
})
