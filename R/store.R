# Kernels and estimators in files: R's own serialisation of one list, with the
# object or without it.

#' @include condition.R container.R
NULL

.fileClass <- function(what) paste0("fatecast_", what, "_file")

# `what` is "kernel" or "estimator".
.writeFile <- function(x, what, file, container, call = rlang::caller_env()) {
    .checkString(file, call = call)
    .checkFlag(container, call = call)
    held <- !is.null(x@container)
    if (!container) x@container <- NULL
    saveRDS(structure(
        c(stats::setNames(list(x), what), list(
            class = class(x)[1L], version = .packageVersion(),
            needs_container = held && !container
        )), class = .fileClass(what)
    ), file)
    invisible(file)
}

.readFile <- function(what, file, container, call = rlang::caller_env()) {
    .checkString(file, call = call)
    if (!file.exists(file)) {
        .abort("missing_key", paste0("There is no file `", file, "`."),
            file = file, call = call
        )
    }
    content <- tryCatch(readRDS(file), error = function(e) e)
    if (!inherits(content, .fileClass(what))) {
        .abort("type", paste0(
            "`", file, "` holds no ", what,
            if (inherits(content, "error")) {
                paste0(" (", conditionMessage(content), ")")
            }, "."
        ), paste0(
            toupper(substr(what, 1L, 1L)), substring(what, 2L),
            "s are written by write", toupper(substr(what, 1L, 1L)),
            substring(what, 2L), "()."
        ), file = file, call = call)
    }
    x <- BiocGenerics::updateObject(content[[what]])
    .joinContainer(x, what, content$needs_container, container, call)
}

.joinContainer <- function(x, what, needed, container, call) {
    if (!needed) {
        if (!is.null(container)) {
            .warn("dropped", paste0(
                "The file has the data of the ", what, ": `container` is ",
                "ignored."
            ))
        }
        return(x)
    }
    found <- if (what == "kernel") x@cell_names else .cells(x)
    n <- length(found)
    if (is.null(container)) {
        .abort(
            "not_computed", paste0(
                "The ", what, " was written without its object of ", n,
                " cells."
            ), "Give the object as `container`.", n_cells = n, call = call
        )
    }
    .checkContainer(container, "container", call)
    cells <- .cellNames(container)
    if (length(cells) != n) {
        .abort(
            "shape", paste0(
                "The ", what, " has ", .count(n, "cell"),
                ", `container` has ", length(cells), "."
            ), n_cells = c(n, length(cells)), call = call
        )
    }
    .checkNames(
        found, cells, paste0("The ", what, " and `container`"), call
    )
    x@container <- container
    x
}
