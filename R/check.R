# Argument checks. Each returns the checked value, names the argument as the
# caller wrote it and blames the caller's call.

#' @importFrom rlang caller_arg caller_env
.checkNumber <- function(x, min = -Inf, max = Inf, null = FALSE,
                         open_min = FALSE, open_max = FALSE,
                         arg = caller_arg(x), call = caller_env()) {
    if (null && is.null(x)) {
        return(NULL)
    }
    if (!is.numeric(x) || length(x) != 1L || is.na(x)) {
        .badType(x, "a single number", null, arg, call)
    }
    x <- as.double(x)
    low <- if (open_min) x <= min else x < min
    high <- if (open_max) x >= max else x > max
    if (low || high) {
        span <- .describeRange(min, max, open_min, open_max)
        .abort(
            "range", paste0("`", arg, "` must be ", span, ", not ", x, "."),
            argument = arg, value = x, min = min, max = max, call = call
        )
    }
    x
}

.checkCount <- function(x, min = 1, max = Inf, null = FALSE,
                        arg = caller_arg(x), call = caller_env()) {
    if (null && is.null(x)) {
        return(NULL)
    }
    whole <- is.numeric(x) && length(x) == 1L && !is.na(x) &&
        (is.infinite(x) || x == round(x))
    if (!whole) {
        .badType(x, "a single whole number", null, arg, call)
    }
    x <- .checkNumber(x, min, max, arg = arg, call = call)
    if (abs(x) <= .Machine$integer.max) as.integer(x) else x
}

.checkFlag <- function(x, null = FALSE, arg = caller_arg(x),
                       call = caller_env()) {
    if (null && is.null(x)) {
        return(NULL)
    }
    if (!is.logical(x) || length(x) != 1L || is.na(x)) {
        .badType(x, "TRUE or FALSE", null, arg, call)
    }
    as.vector(x)
}

.checkString <- function(x, null = FALSE, arg = caller_arg(x),
                         call = caller_env()) {
    if (null && is.null(x)) {
        return(NULL)
    }
    ok <- is.character(x) && length(x) == 1L && !is.na(x) && nzchar(x)
    if (!ok) {
        .badType(x, "a single, non-empty string", null, arg, call)
    }
    enc2utf8(as.vector(x))
}

# A default written as a vector of choices stands for its first element.
.checkChoice <- function(x, choices, null = FALSE, arg = caller_arg(x),
                         call = caller_env()) {
    if (null && is.null(x)) {
        return(NULL)
    }
    if (identical(x, choices)) {
        return(choices[1L])
    }
    if (!is.character(x) || length(x) != 1L || is.na(x)) {
        one <- paste0("one of ", .someNames(choices, length(choices)))
        .badType(x, one, null, arg, call)
    }
    if (!x %in% choices) {
        .abort(
            "range", paste0(
                "`", arg, "` must be one of ",
                .someNames(choices, length(choices)), ", not ",
                .someNames(x), "."
            ), .suggest(x, choices),
            argument = arg, value = x, choices = choices, call = call
        )
    }
    as.vector(x)
}

# Refuses what ended up in the caller's `...`. `.formals` are the names to
# suggest from: by default those of the calling function.
#' @importFrom rlang caller_fn
.checkDots <- function(..., .formals = NULL, .call = caller_env()) {
    given <- as.list(substitute(list(...)))[-1L]
    if (!length(given)) {
        return(invisible(NULL))
    }
    if (is.null(.formals)) {
        .formals <- names(formals(caller_fn()))
    }
    if (is.function(.formals)) {
        .formals <- names(formals(.formals))
    }
    known <- setdiff(.formals, "...")
    named <- names(given)[nzchar(names(given))]
    text <- if (length(named)) {
        paste0("Unknown argument: ", .someNames(named), ".")
    } else {
        paste0(.count(length(given), "unnamed argument"), " too many.")
    }
    advice <- if (length(named)) .suggest(named[1L], known)
    advice <- c(advice, paste0(
        "The arguments are ", .someNames(known, length(known)), "."
    ))
    .abort(
        "unknown_argument", text, advice,
        arguments = named, known = known, call = .call
    )
}

# NULL draws the seed from R's generator, so that set.seed() decides.
.seed <- function(random_state, arg = caller_arg(random_state),
                  call = caller_env()) {
    if (is.null(random_state)) {
        return(sample.int(.Machine$integer.max, 1L))
    }
    .checkCount(random_state, 0, 2^32 - 1, arg = arg, call = call)
}

.badType <- function(x, wanted, null, arg, call) {
    .abort(
        "type", paste0(
            "`", arg, "` must be ", wanted, if (null) " or NULL", ", not ",
            .describe(x), "."
        ),
        argument = arg, call = call
    )
}

# What a value is, in a few words.
.describe <- function(x) {
    if (is.null(x)) {
        return("NULL")
    }
    if (length(dim(x)) == 2L) {
        return(paste0(
            "a ", nrow(x), " x ", ncol(x), " object of class `",
            class(x)[1L], "`"
        ))
    }
    if (is.atomic(x) && length(x) == 1L) {
        shown <- if (is.character(x)) .someNames(x) else format(x)
        return(paste0(shown, " (", class(x)[1L], ")"))
    }
    paste0("an object of class `", class(x)[1L], "` of length ", length(x))
}

.describeRange <- function(min, max, open_min = FALSE, open_max = FALSE) {
    low <- paste0(if (open_min) "above " else "at least ", min)
    high <- paste0(if (open_max) "below " else "at most ", max)
    bounded <- is.finite(c(min, max))
    if (!any(bounded)) {
        return("a finite number")
    }
    paste(c(low, high)[bounded], collapse = " and ")
}

# "Did you mean `x`?" when one of the choices is close, else nothing.
.suggest <- function(x, choices) {
    near <- .nearest(x, choices)
    if (length(near)) paste0("Did you mean ", .someNames(near), "?")
}

.nearest <- function(x, choices) {
    if (!length(choices)) {
        return(character())
    }
    away <- utils::adist(x, choices, ignore.case = TRUE)[1L, ]
    best <- which.min(away)
    if (away[best] <= max(2, nchar(x) / 3)) choices[best] else character()
}
