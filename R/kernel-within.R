# Moves of cells within one time of a course, and the arguments that say which.

#' @include kernel-realtime.R graph-representation.R
NULL

.checkThreshold <- function(threshold, call) {
    if (is.null(threshold)) return(NULL)
    if (is.character(threshold)) {
        return(.checkChoice(
            threshold, c("auto", "auto_local"), arg = "threshold", call = call
        ))
    }
    .checkNumber(threshold, 0, 100, arg = "threshold", call = call)
}

.thresholdOptions <- function(threshold) {
    if (is.null(threshold)) return(list(threshold = "keep"))
    if (is.character(threshold)) return(list(threshold = threshold))
    list(threshold = "percentile", percentile = threshold)
}

.selfModes <- c("connectivities", "diagonal", "uniform", "all")

# `mode` of the last time, `times` before it that have moves of their own, and
# the argument as it is to be remembered.
.selfTransitions <- function(value, course, call) {
    if (identical(value, .selfModes)) value <- .selfModes[1L]
    text <- if (is.factor(value) || is.numeric(value) || is.character(value)) {
        as.character(value)
    }
    if (!length(text) || anyNA(text)) {
        .badType(
            value, paste0(
                "one of ", .someNames(.selfModes), ", or names of times"
            ), FALSE, "self_transitions", call
        )
    }
    if (length(text) == 1L && text %in% .selfModes) {
        times <- if (text == "all") course$sources
        mode <- if (text == "all") "connectivities" else text
        return(list(mode = mode, times = times, given = text))
    }
    unknown <- setdiff(text, course$sources)
    if (length(unknown)) {
        .abort(
            "range", paste0(
                "`self_transitions` has ", .someNames(unknown),
                ", which is no time that couplings leave."
            ), c(
                .suggest(unknown[1L], c(.selfModes, course$sources)),
                paste0(
                    "Choose one of ", .someNames(.selfModes),
                    ", or some of the times ", .someNames(course$sources, 20L),
                    "; the time `", course$last, "` always has moves."
                )
            ), argument = "self_transitions", value = unknown,
            choices = c(.selfModes, course$sources), call = call
        )
    }
    list(mode = "connectivities", times = unique(text), given = unique(text))
}

.connWeight <- function(weight, stay, call) {
    if (is.null(weight) && length(stay$times)) {
        .abort(
            "range", paste0(
                "`conn_weight` must be above 0 and below 1 where earlier ",
                "times have self transitions; it is NULL."
            ), paste(
                "It is the probability of a move within the time, 0.2",
                "for example."
            ), argument = "conn_weight", call = call
        )
    }
    weight <- .checkNumber(
        weight, 0, 1, null = TRUE, open_min = TRUE, open_max = TRUE,
        arg = "conn_weight", call = call
    )
    if (!is.null(weight) && !length(stay$times)) {
        .ignoredArgument("conn_weight", stay)
    }
    weight
}

.ignoredArgument <- function(argument, stay) {
    .warn("replaced_argument", paste0(
        "`", argument, "` has no effect with self_transitions = \"",
        stay$given[1L], "\"."
    ), argument = argument)
}

# ---- Neighbour graphs within times ----

.connDefaults <- list(
    n_neighbors = 15L, n_pcs = NULL, use_rep = NULL, method = "umap",
    transformer = NULL, metric = "euclidean", metric_kwds = list(),
    random_state = 0L, assay = NULL, density_normalize = TRUE
)

# Every argument of the graphs within times after defaults, checked; an empty
# list where no graph is needed.
.connSettings <- function(kwargs, stay, call) {
    if (!is.list(kwargs) || (length(kwargs) && is.null(names(kwargs)))) {
        .badType(kwargs, "a named list", FALSE, "conn_kwargs", call)
    }
    known <- names(.connDefaults)
    unknown <- setdiff(names(kwargs), known)
    if (length(unknown)) {
        .abort(
            "unknown_argument", paste0(
                "`conn_kwargs` has unknown arguments: ", .someNames(unknown),
                "."
            ), c(
                .suggest(unknown[1L], known),
                paste0("Known are ", .someNames(known, length(known)), ".")
            ), arguments = unknown, known = known, call = call
        )
    }
    if (stay$mode != "connectivities") {
        if (length(kwargs)) .ignoredArgument("conn_kwargs", stay)
        return(list())
    }
    conn <- .connDefaults
    conn[names(kwargs)] <- kwargs
    if (is.list(conn$transformer)) {
        .badType(
            conn$transformer, "\"exact\" or \"approximate\"", TRUE,
            "transformer", call
        )
    }
    .checkCount(conn$n_pcs, 0, null = TRUE, arg = "n_pcs", call = call)
    .checkFlag(conn$density_normalize, arg = "density_normalize", call = call)
    conn$random_state <- .seed(conn$random_state, "random_state", call)
    .connSearch(conn, call)
    conn
}

# The same as the settings of a search.
.connSearch <- function(conn, call) {
    settings <- .neighborSettings(
        conn$n_neighbors, TRUE, conn$method, conn$metric, conn$metric_kwds,
        conn$transformer, NULL, FALSE, character(), call
    )
    settings$random_state <- conn$random_state
    settings
}

# A uniform block is dense.
.checkUniform <- function(course, stay, call) {
    if (stay$mode != "uniform") return(invisible())
    n <- length(course$cells[[course$last]])
    bytes <- 12 * as.double(n)^2
    limit <- getOption("fatecast.memory_limit", 4 * 2^30)
    if (bytes > limit) {
        .abort(
            "memory", paste0(
                "Uniform self transitions of the ", n, " cells of the time `",
                course$last, "` need ", format(bytes / 2^30, digits = 3),
                " GiB, more than the limit of ",
                format(limit / 2^30, digits = 3), " GiB."
            ), paste(
                "Use another `self_transitions`, or raise",
                "options(fatecast.memory_limit = <bytes>)."
            ), bytes = bytes, limit = limit, call = call
        )
    }
}

# Blocks of times with themselves, for Rust: the last time, and those chosen.
.withinTimes <- function(kernel, course, stay, weight, conn, job) {
    block <- function(level, moves, weight, matrix = NULL) {
        cells <- course$cells[[level]]
        c(
            list(cells = cells, moves = moves, weight = weight),
            if (!is.null(matrix)) list(matrix = matrix)
        )
    }
    if (stay$mode != "connectivities") {
        return(list(block(course$last, stay$mode, 1)))
    }
    x <- .kernelContainer(kernel, job$call)
    rep <- .readRepresentation(
        x, conn$use_rep, conn$n_pcs, conn$assay, kernel@init$experiment,
        job$call
    )
    settings <- .connSearch(conn, job$call)
    lapply(c(stay$times, course$last), function(level) {
        share <- if (level == course$last) 1 else weight
        cells <- course$cells[[level]]
        # A lone cell has no neighbour.
        if (length(cells) == 1L) return(block(level, "diagonal", share))
        part <- rep
        part$matrix <- rep$matrix[cells + 1L, , drop = FALSE]
        found <- .searchNeighbors(job, part, settings, kernel@init$experiment)
        matrix <- .native(
            job, rs_kernel_connectivity, found$out$connectivities,
            conn$density_normalize, cell_names = found$names
        )
        block(level, "matrix", share, matrix)
    })
}
