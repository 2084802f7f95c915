test_that("the default palette has 62 distinct colours", {
    all <- .defaultColors(62)
    expect_length(unique(all), 62L)
    expect_match(all, "^#[0-9a-f]{6}$")
    expect_identical(.defaultColors(0), character())
    expect_identical(.defaultColors(2), c("#1f77b4", "#ff7f0e"))
    expect_error(.defaultColors(63), class = "fatecast_error_range")
    expect_error(.defaultColors(-1), class = "fatecast_error_range")
})

test_that("colours become lower-case hex codes", {
    expect_identical(
        .asHex(c(a = "red", b = "#1F77B4FF")), c(a = "#ff0000", b = "#1f77b4")
    )
    expect_error(.asHex("no colour"), class = "fatecast_error_type")
    expect_error(.asHex(NA), class = "fatecast_error_type")
    expect_error(.asHex("3"), class = "fatecast_error_type")
})

test_that("a mixture is the mean in HSV", {
    expect_identical(.mixColors("#1f77b4"), "#1f77b4")
    expect_identical(.mixColors(c("#ff0000", "#00ff00")), "#ffff00")
    expect_identical(.mixColors(c("#ff0000", "#800000")), "#c00000")
    expect_error(.mixColors(character()), class = "fatecast_error_shape")
})

test_that("HSV coordinates give every sector of the colour circle", {
    hex <- .hsvHex(c(0, 1, 2, 3, 4, 5, 6) / 6, 1, 1)
    expect_identical(hex, c(
        "#ff0000", "#ffff00", "#00ff00", "#00ffff", "#0000ff", "#ff00ff",
        "#ff0000"
    ))
    h <- seq(0, 1, 0.07)
    got <- grDevices::col2rgb(.hsvHex(h, 0.4, 0.8))
    expect_lte(max(abs(got - grDevices::col2rgb(
        grDevices::hsv(h, 0.4, 0.8)
    ))), 1)
})

test_that("labels are black on light and white on dark colours", {
    expect_identical(
        .labelColor(c("#ffffff", "#ffff00", "#1f77b4", "#000000")),
        c("#000000", "#000000", "#ffffff", "#ffffff")
    )
})

test_that("states take name and colour of the cluster they overlap most", {
    states <- factor(c("0", "0", "0", "1", "1", NA, "2"))
    reference <- factor(c("b", "b", "a", "a", "a", "c", "c"))
    got <- .mapStates(states, reference, c("red", "green", "blue"))
    expect_identical(got$names, c("b", "a", "c"))
    expect_identical(
        got$colors, c(b = "#00ff00", a = "#ff0000", c = "#0000ff")
    )
    # Equal overlap: the first level of the reference.
    tied <- .mapStates(factor(c("s", "s")), factor(c("b", "a")))
    expect_identical(tied$names, "a")
})

test_that("states of one cluster are numbered and vary its colour", {
    three <- .mapStates(
        factor(c("x", "y", "z")), factor(rep("foo", 3)), "red"
    )
    expect_identical(three$names, c("foo_1", "foo_2", "foo_3"))
    expect_identical(unname(three$colors), c("#b20000", "#d13200", "#f07300"))
    mixed <- .mapStates(
        factor(c("x", "y", "z")), factor(c("a", "a", "b")),
        c(b = "#008000", a = "red")
    )
    expect_identical(
        mixed$colors, c(a_1 = "#b20000", a_2 = "#e65c00", b = "#008000")
    )
})

test_that("a name made by numbering never meets an existing one", {
    got <- .mapStates(
        factor(c("x", "y", "z")), factor(c("a", "a", "a_1"))
    )
    expect_identical(anyDuplicated(got$names), 0L)
    expect_identical(names(got$colors), got$names)
})

test_that("a state that shares no cell keeps its name", {
    states <- factor(c("x", "y"))
    got <- .mapStates(states, factor(c("a", NA)))
    expect_identical(got$names, c("a", "y"))
    expect_identical(got$colors[["y"]], "#7f7f7f")
})

test_that("states and reference must fit", {
    f <- factor(c("a", "b"))
    expect_error(.mapStates(c("a", "b"), f), class = "fatecast_error_type")
    expect_error(.mapStates(f, factor("a")), class = "fatecast_error_shape")
    expect_error(
        .mapStates(
            stats::setNames(f, c("c1", "c2")), stats::setNames(f, c("c2", "c1"))
        ),
        class = "fatecast_error_container_cells"
    )
    expect_error(.mapStates(f, f, "red"), class = "fatecast_error_shape")
    expect_error(
        .mapStates(f, f, c("red", "nothing")),
        class = "fatecast_error_type"
    )
    expect_warning(
        .mapStates(f, f, c("red", "#ff0000")),
        class = "fatecast_warning_fallback"
    )
})
