#' Couplings computed elsewhere
#'
#' Reads couplings of time points from a list of matrices, from files of
#' Waddington-OT or from couplings of moscot that were exported in the same
#' form, as [RealTimeKernel()] takes them.
#'
#' @details
#' `x` is one of
#' * a list of matrices, source cells x target cells, dense or sparse, named
#'   `<source>_<target>`; cell names as row and column names, or none when rows
#'   and columns are in the order of the object;
#' * a folder: every `.h5ad` file in it is a coupling, and the last two parts of
#'   its name, separated by `_`, are source and target (`tmaps_0_1.h5ad`). This
#'   is what Waddington-OT writes;
#' * one such file.
#'
#' Of a file are read the matrix `X` (observations are source cells, variables
#' target cells; dense, or sparse by rows or columns), the indices of `obs` and
#' `var` (the cell names) and the growth rates, the numeric columns `g0`, `g1`,
#' ... of `obs`. moscot has no files of its own for couplings: export each as
#' `AnnData(X = transport_matrix, obs = source cells, var = target cells)` with
#' `write_h5ad("<any>_<source>_<target>.h5ad")`, or convert it to a matrix.
#' Sparse matrices stay sparse, and dense ones dense. Files need the package
#' rhdf5. Cost: one reading of each entry. Randomness and threads: not
#' applicable.
#'
#' @param x A list, a folder, or a file; see above.
#' @param pairs Sources and targets of the elements of a list, as a data frame
#'   or two-column matrix of level names, when its names do not say them (level
#'   names with `_`).
#' @param levels Level names of the time column. Names in files are matched to
#'   them as text, else as numbers (`1.0` is the level `1`).
#' @param ... Not used; an unknown argument is an error.
#' @return A list of the form that [computeCouplings()] gives: matrices named
#'   `source_target`, with attributes `pairs` and `growth` (NULL without growth
#'   rates). There are no diagnostics.
#' @section Errors:
#' `missing_key` (no file in the folder, a file without `X`, a name without two
#' times, a time that is none of `levels`, rhdf5 not installed), `type`, `shape`
#' (names that do not fit the matrix, `pairs` of another length), `range`
#' (negative or missing entries), `duplicate_names` (a pair that comes twice, a
#' cell name that is repeated).
#' @references Schiebinger, G. et al. (2019) Cell 176, 928-943. Klein, D. et al.
#'   (2025) Mapping cells through time and space with moscot. Nature 638,
#'   1065-1075.
#' @examples
#' m <- matrix(c(0.9, 0.1, 0.2, 0.8), 2,
#'     dimnames = list(c("a", "b"), c("c", "d"))
#' )
#' readCouplings(list("0_1" = m))
#' @export
readCouplings <- function(x, pairs = NULL, levels = NULL, ...) {
    .checkDots(...)
    if (!is.null(levels)) levels <- as.character(levels)
    read <- if (is.character(x)) {
        .readCouplingFiles(.couplingFiles(x), levels)
    } else {
        .listedCouplings(x, pairs, levels)
    }
    names <- paste0(read$pairs$source, "_", read$pairs$target)
    if (anyDuplicated(names)) {
        .abort("duplicate_names", paste0(
            "A pair of times comes more than once: ",
            .someNames(unique(names[duplicated(names)])), "."
        ), names = unique(names[duplicated(names)]))
    }
    couplings <- Map(.checkCoupling, read$couplings, names)
    names(couplings) <- names
    growth <- if (length(Filter(Negate(is.null), read$growth))) {
        stats::setNames(read$growth, names)
    }
    structure(
        couplings, class = "fatecast_couplings", pairs = read$pairs,
        growth = growth
    )
}

.listedCouplings <- function(x, pairs, levels, call = rlang::caller_env()) {
    if (!is.list(x) || is.data.frame(x) || !length(x)) {
        .badType(x, paste(
            "a list of matrices, or the path of a folder or file"
        ), FALSE, "x", call)
    }
    if (is.null(pairs)) pairs <- attr(x, "pairs")
    if (is.null(pairs)) {
        pairs <- .stemPairs(names(x), length(x), levels, call)
    } else if (length(dim(pairs)) != 2L || ncol(pairs) != 2L ||
        nrow(pairs) != length(x)) {
        .abort(
            "shape", paste0(
                "`pairs` must have two columns and one row for each of the ",
                .count(length(x), "coupling"), ", not be ", .describe(pairs),
                "."
            ), argument = "pairs", dim = dim(pairs), call = call
        )
    }
    list(
        couplings = unname(unclass(x)[seq_along(x)]), pairs = data.frame(
            source = as.character(pairs[, 1L]),
            target = as.character(pairs[, 2L])
        ), growth = unname(attr(x, "growth"))
    )
}

# Source and target from the last two parts of each name.
.stemPairs <- function(names, n, levels, call) {
    parts <- strsplit(as.character(names), "_", fixed = TRUE)
    short <- lengths(parts) < 2L
    if (length(parts) != n || any(short)) {
        .abort(
            "missing_key", paste0(
                "Couplings must be named `<source>_<target>`; ",
                if (length(parts) == n) .someNames(names[short]) else "none",
                " is not."
            ), "Name them, or give `pairs`.", key = names[short], call = call
        )
    }
    last <- function(back) {
        vapply(parts, function(p) p[length(p) - back], "")
    }
    data.frame(
        source = .matchLevels(last(1L), levels, call),
        target = .matchLevels(last(0L), levels, call)
    )
}

# Times as the levels that they mean: the same text, else the same number.
.matchLevels <- function(times, levels, call) {
    if (is.null(levels)) return(times)
    number <- function(v) suppressWarnings(as.numeric(v))
    at <- match(times, levels)
    by_number <- match(number(times), number(levels), incomparables = NA)
    at[is.na(at)] <- by_number[is.na(at)]
    if (anyNA(at)) .missingKey("time", unique(times[is.na(at)]), levels,
        call = call
    )
    levels[at]
}

.couplingFiles <- function(x, call = rlang::caller_env()) {
    .checkString(x, call = call)
    files <- if (dir.exists(x)) {
        list.files(x, "\\.h5ad$", full.names = TRUE)
    } else {
        x[file.exists(x)]
    }
    if (!length(files)) {
        .abort(
            "missing_key", paste0(
                "There is no `.h5ad` file at ", .someNames(x), "."
            ), key = x, call = call
        )
    }
    if (!requireNamespace("rhdf5", quietly = TRUE)) {
        .abort(
            "missing_key", "Reading `.h5ad` files needs the package `rhdf5`.",
            "Install it with BiocManager::install(\"rhdf5\").",
            key = "rhdf5", call = call
        )
    }
    files
}

.readCouplingFiles <- function(files, levels, call = rlang::caller_env()) {
    stems <- sub("\\.[^.]*$", "", basename(files))
    pairs <- .stemPairs(stems, length(files), levels, call)
    read <- lapply(files, .readH5AD, call = call)
    list(
        couplings = lapply(read, `[[`, "matrix"), pairs = pairs,
        growth = lapply(read, `[[`, "growth")
    )
}

# Matrix, names and growth of one file.
.readH5AD <- function(file, call) {
    content <- rhdf5::h5ls(file)
    path <- sprintf("%s/%s", sub("/$", "", content$group), content$name)
    kind <- stats::setNames(content$otype, path)
    for (key in c("/X", "/obs", "/var")) {
        if (!key %in% path) {
            .abort(
                "missing_key", paste0(
                    "The file ", .someNames(file), " has no `",
                    substring(key, 2L), "`."
                ), key = substring(key, 2L), file = file, call = call
            )
        }
    }
    matrix <- if (kind[["/X"]] == "H5I_GROUP") {
        .readH5Sparse(file)
    } else {
        t(rhdf5::h5read(file, "/X", bit64conversion = "double"))
    }
    rows <- .readH5Table(file, "/obs", kind)
    columns <- .readH5Table(file, "/var", kind)
    size <- c(length(rows$index), length(columns$index))
    if (!identical(dim(matrix), size)) {
        .abort(
            "shape", paste0(
                "The matrix of ", .someNames(file), " is ", nrow(matrix),
                " x ", ncol(matrix), ", but it names ", size[1L],
                " source and ", size[2L], " target cells."
            ), dim = dim(matrix), expected = size, file = file, call = call
        )
    }
    dimnames(matrix) <- list(rows$index, columns$index)
    list(matrix = matrix, growth = rows$growth)
}

.readH5Sparse <- function(file) {
    about <- rhdf5::h5readAttributes(file, "/X")
    format <- c(about[["encoding-type"]], about[["h5sparse_format"]])[1L]
    shape <- c(about[["shape"]], about[["h5sparse_shape"]])
    shape <- as.integer(shape[1:2])
    read <- function(name) {
        as.vector(rhdf5::h5read(
            file, paste0("/X/", name), bit64conversion = "double"
        ))
    }
    parts <- list(
        p = as.integer(read("indptr")), x = as.double(read("data")),
        index1 = FALSE, dims = shape, repr = "C"
    )
    at <- as.integer(read("indices"))
    by_rows <- startsWith(format, "csr")
    do.call(Matrix::sparseMatrix, c(
        if (by_rows) list(j = at) else list(i = at), parts
    ))
}

# Index of `obs` or `var`, and its growth columns, in either layout of h5ad:
# a group of columns, or one table.
.readH5Table <- function(file, key, kind) {
    if (kind[[key]] != "H5I_GROUP") {
        table <- rhdf5::h5read(file, key, compoundAsDataFrame = TRUE)
        index <- intersect(c("index", "_index"), names(table))
        index <- if (length(index)) index[1L] else 1L
        return(list(
            index = as.character(table[[index]]),
            growth = .growthColumns(table, as.character(table[[index]]))
        ))
    }
    about <- rhdf5::h5readAttributes(file, key)
    name <- if (is.null(about[["_index"]])) "_index" else about[["_index"]]
    index <- as.character(rhdf5::h5read(file, paste0(key, "/", name)))
    inside <- sub(paste0("^", key, "/"), "", names(kind))
    columns <- grep("^g[0-9]+$", inside, value = TRUE)
    table <- lapply(stats::setNames(columns, columns), function(column) {
        as.vector(rhdf5::h5read(file, paste0(key, "/", column)))
    })
    list(index = index, growth = .growthColumns(table, index))
}

# Growth rates as a matrix of cells x rounds, or NULL.
.growthColumns <- function(table, cells) {
    columns <- grep("^g[0-9]+$", names(table), value = TRUE)
    columns <- columns[order(as.integer(substring(columns, 2L)))]
    columns <- Filter(function(n) is.numeric(table[[n]]), columns)
    if (!length(columns)) return(NULL)
    matrix(
        as.double(unlist(table[columns])), length(cells),
        dimnames = list(cells, columns)
    )
}

.checkCoupling <- function(m, name, call = rlang::caller_env()) {
    what <- paste0("The coupling `", name, "`")
    if (length(dim(m)) != 2L || is.data.frame(m) ||
        !(is.numeric(m) || methods::is(m, "Matrix"))) {
        .abort("type", paste0(
            what, " must be a numeric matrix, not ", .describe(m), "."
        ), key = name, call = call)
    }
    m <- if (methods::is(m, "sparseMatrix")) .asGeneral(m, what) else {
        .plainMatrix(m)
    }
    values <- if (is.matrix(m)) m else m@x
    bad <- sum(!is.finite(values) | values < 0)
    if (bad) {
        .abort("range", paste0(
            what, " has ", bad, " entries that are",
            " negative, missing or infinite."
        ), key = name, count = bad, call = call)
    }
    for (side in dimnames(m)) {
        if (anyDuplicated(side)) {
            twice <- unique(side[duplicated(side)])
            .abort("duplicate_names", paste0(
                what, " names cells twice: ", .someNames(twice), "."
            ), names = twice, key = name, call = call)
        }
    }
    m
}
