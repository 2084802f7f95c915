# From which cell pseudotime starts: what a user may say of the root, as a cell.

#' @include graph-lookup.R
NULL

# What the root is, before any computation: a cell (`at`), some cells
# (`cluster`, logical), an end of a component, or NULL.
.chosenRoot <- function(x, root, root_key, key_added, settings,
                        call = rlang::caller_env()) {
    .checkString(root_key, null = TRUE, arg = "root_key", call = call)
    if (is.null(root)) {
        earlier <- .readRecord(x, key_added)$root
        if (!is.null(earlier)) return(.rootAgain(x, earlier, call))
        if (settings$n_branchings > 0L) return(NULL)
        .abort(
            "missing_key", "Pseudotime needs a root, and none is stored.",
            .rootAdvice, argument = "root", call = call
        )
    }
    if (is.list(root)) return(.rootFromList(x, root, call))
    if (is.numeric(root)) {
        n <- length(.cellNames(x))
        at <- .checkCount(root, 1, n, arg = "root", call = call)
        return(list(at = at))
    }
    root <- .checkString(root, arg = "root", call = call)
    if (!is.null(root_key)) return(.rootLabel(x, root_key, root, call))
    at <- match(root, .cellNames(x))
    if (is.na(at)) .rootAnywhere(x, root, call) else list(at = at)
}

.rootAdvice <- paste(
    "Give a cell (name or position), a label such as \"root\" of a column of",
    "cells, list(key, label), or list(component = 1, end = \"max\")."
)

# The root of an earlier run, found again by its name.
.rootAgain <- function(x, cell, call) {
    at <- match(cell, .cellNames(x))
    if (is.na(at)) {
        .abort(
            "missing_key", paste0(
                "The root cell of the earlier run, ", .someNames(cell),
                ", is no longer in the object."
            ), .rootAdvice, key = cell, argument = "root", call = call
        )
    }
    list(at = at)
}

.rootFromList <- function(x, root, call) {
    if (setequal(names(root), c("component", "end")) ||
        identical(names(root), "component")) {
        end <- if (is.null(root$end)) "max" else root$end
        return(list(
            component = .checkCount(
                root$component, 1, arg = "root$component", call = call
            ),
            end = .checkChoice(
                end, c("min", "max"), arg = "root$end", call = call
            )
        ))
    }
    pair <- length(root) == 2L && (is.null(names(root)) ||
        setequal(names(root), c("key", "level")) ||
        setequal(names(root), c("key", "label")))
    if (!pair) {
        .abort(
            "type", paste0(
                "`root` must be a cell, a label, list(key, label) or ",
                "list(component = , end = ), not ", .describe(root), "."
            ), .rootAdvice, argument = "root", call = call
        )
    }
    if (!is.null(names(root))) {
        root <- c(root["key"], root[setdiff(names(root), "key")])
    }
    key <- .checkString(root[[1L]], arg = "root$key", call = call)
    .rootLabel(x, key, as.character(root[[2L]]), call)
}

# The cells with a label in a given column.
.rootLabel <- function(x, key, label, call) {
    .checkString(label, arg = "root", call = call)
    values <- as.character(.readCellData(x, key))
    cluster <- !is.na(values) & values == label
    if (!any(cluster)) {
        there <- .naturalSort(unique(values[!is.na(values)]))
        .missingKey(
            paste0("cell labelled in the column ", .someNames(key), " as"),
            label, there, call = call
        )
    }
    list(cluster = cluster)
}

# The cells with a label that one column of labels has.
.rootAnywhere <- function(x, label, call) {
    columns <- lapply(stats::setNames(nm = .cellDataNames(x)), function(key) {
        values <- .readCellData(x, key)
        if (is.factor(values) || is.character(values)) as.character(values)
    })
    columns <- Filter(Negate(is.null), columns)
    hits <- lapply(columns, function(values) !is.na(values) & values == label)
    hits <- hits[vapply(hits, any, logical(1))]
    if (!length(hits)) {
        labels <- unique(unlist(lapply(columns, unique), use.names = FALSE))
        .abort(
            "missing_key", paste0(
                "The root ", .someNames(label), " is neither a cell nor a ",
                "label in one of the columns ", .someNames(names(columns)), "."
            ), c(.suggest(label, c(labels, .cellNames(x))), .rootAdvice),
            key = label, available = names(columns), argument = "root",
            call = call
        )
    }
    if (length(unique(unname(hits))) > 1L) {
        choices <- paste0(
            "root = list(\"", names(hits), "\", \"", label, "\")"
        )
        .abort(
            "range", paste0(
                "The root ", .someNames(label), " is a label in ",
                length(hits), " columns: ", .someNames(names(hits)), "."
            ), paste0("Choose ", paste(choices, collapse = " or "), "."),
            key = names(hits), argument = "root", call = call
        )
    }
    list(cluster = hits[[1L]])
}

# Position of the root cell, or NULL for none.
.rootCell <- function(job, chosen, graph, map) {
    if (is.null(chosen) || !is.null(chosen$at)) return(chosen$at)
    component <- if (is.null(chosen$component)) 0L else chosen$component
    if (component >= length(map$values)) {
        .abort(
            "range", paste0(
                "The root asks for component ", component, ", but the ",
                "diffusion map has ", length(map$values) - 1L,
                " after the steady state."
            ), argument = "root", value = component, call = job$call
        )
    }
    end <- if (is.null(chosen$end)) "max" else chosen$end
    .native(
        job, rs_dpt_root, .slots(graph), map$values, as.vector(map$vectors),
        list(component = component, end = end), chosen$cluster,
        cell_names = rownames(graph),
        advice = "Name a cell of the graph as `root` instead."
    )
}
