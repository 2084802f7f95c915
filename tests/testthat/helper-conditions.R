# Expects an error of this kind, with its family and root class, and returns
# the condition. `fields` are values the condition must carry.
expectFailure <- function(object, kind, fields = list()) {
    condition <- expect_error(
        object,
        class = paste0("fatecast_error_", kind)
    )
    expect_true(all(.errorClass(kind) %in% class(condition)))
    for (name in names(fields)) {
        expect_identical(condition[[name]], fields[[name]])
    }
    invisible(condition)
}

# Returns the value, having seen no warning.
expectQuiet <- function(object) {
    expect_warning(value <- object, NA)
    invisible(value)
}
