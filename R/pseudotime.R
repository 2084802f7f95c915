#' Diffusion pseudotime
#'
#' How far every cell has come from a root cell, measured by random walks of all
#' lengths on the neighbour graph (Haghverdi et al. 2016), and, when asked for,
#' where the trajectory branches.
#'
#' @details
#' With the eigenpairs of [computeDiffusionMap()] the squared distance of two
#' cells is the sum of `(lambda / (1 - lambda))^2 (psi_i - psi_j)^2` over the
#' components with `lambda < 0.9994` and of `(psi_i - psi_j)^2` over the others.
#' Pseudotime is the distance from the root over the largest finite one: 0 at
#' the root, 1 at the farthest cell. `basis = "symmetric"` takes the
#' eigenvectors as they are stored, as scanpy does; `"right"` first divides them
#' by `z`, the root of the stationary distribution, which gives the textbook
#' diffusion map. Without a diffusion map one is computed, with a message. It
#' must belong to the graph: its residual on the graph is checked.
#'
#' **Root.** `root` is one of
#' * the name of a cell, or its position;
#' * a label, such as `"root"`, that occurs in exactly one column of cells (in
#'   the column `root_key` when it is given), or `list(key, label)`;
#' * `list(component = 1, end = "max")`: the cell with the largest (`"min"`:
#'   smallest) value of a diffusion component. Component 1 is the first after
#'   the steady state, the second stored column.
#'
#' A string is looked up among the cell names first. Of a label, the root is the
#' cell farthest away from all others along the first diffusion component that
#' orders them: the largest value among the cells with the label if their mean
#' exceeds the mean of the other cells, else the smallest; of several connected
#' pieces the one that holds most of the label counts. The name of the root is
#' stored; `root = NULL` takes the stored root of an earlier run under the same
#' key again, by name, so that it survives subsetting.
#'
#' **Cells in other components** of the graph than the root cannot be reached:
#' `unreachable = "inf"` gives them `Inf` and warns, `"na"` gives NA and warns,
#' `"error"` stops.
#'
#' **Branchings.** `n_branchings > 0` splits the trajectory so often into three
#' branches each: a third tip is the cell farthest from two tips, and branches
#' end where the Kendall correlation of the distances to the other tips changes
#' most. Labels are scanpy's: `"0"` holds the cells of the first piece, or those
#' several branches claim, and those that none does (a message says how many);
#' cells that cannot be reached are NA. Without a root, branchings are found in
#' the largest component and no pseudotime is written.
#'
#' Nothing is random; the same result on any number of threads. Pseudotime takes
#' O(cells n_dcs) time, a branching O(m^2) for a piece of m cells.
#'
#' @param x A `SingleCellExperiment` or `Seurat` object with neighbours.
#' @param n_dcs Number of diffusion components to use, the steady state
#'   included.
#' @param n_branchings Number of branchings to look for.
#' @param min_group_size Pieces must have more cells than this to be split: a
#'   share of all cells below 1, else a number of cells. Never below 12 cells.
#' @param allow_kendall_tau_shift Whether a cut beyond 95% of a piece is pulled
#'   back, with a warning.
#' @param neighbors_key Name of the run of [buildNeighbors()] to use; NULL for
#'   the default run.
#' @param root Where time starts; see below.
#' @param root_key Column of cells in which the label `root` is looked up.
#' @param basis Which eigenvectors measure distances.
#' @param unreachable What cells in other components get.
#' @param diffmap_key Name of the diffusion map; NULL for the default name.
#' @param key_added Name of the column and of the record. Branches are stored in
#'   the columns `dpt_groups` and `dpt_order`, or `<key_added>_groups` and
#'   `<key_added>_order` for another name.
#' @param force Also split pieces of more than 20,000 cells.
#' @param n_threads Number of threads; see [fatecast-threads].
#' @param show_progress_bar TRUE, FALSE, or NULL (only for long interactive
#'   work).
#' @param ... Not used; an unknown argument is an error.
#' @return The object with a column of pseudotime and a record, which also holds
#'   `root` (name of the cell); with branchings a factor of groups, the rank of
#'   every cell by group and pseudotime, and in the record `order_indices`
#'   (cells by rank), `changepoints` (first rank of each later group) and
#'   `grouptips` (names of two cells per group, the earlier first).
#' @section Errors:
#' `missing_key` without neighbours, without a root, and for a root that is
#' neither a cell nor a label; `range` for a label in several columns (they are
#' listed), for more components than there are and for a piece above 20,000
#' cells; `container_stale` when cells changed after neighbours or diffusion map
#' were made, or when the map is not one of the graph; `unreachable`;
#' `no_state` when all cells are at distance 0. Warnings: `disconnected`,
#' `fallback` for a cut that was pulled back, `replaced_argument`.
#' @references Haghverdi, L., Buettner, M., Wolf, F.A., Buettner, F. and Theis,
#'   F.J. (2016) Diffusion pseudotime robustly reconstructs lineage branching.
#'   Nature Methods 13, 845-848.
#' @seealso [PseudotimeKernel()], which directs a graph by it.
#' @examples
#' sce <- buildNeighbors(simulateDifferentiation(n_cells = 200, n_genes = 60))
#' sce <- computeDPT(sce, root = "root")
#' cor(sce$dpt_pseudotime, sce$pseudotime, method = "spearman")
#' @include graph-lookup.R embed-paga.R
#' @export
computeDPT <- function(x, n_dcs = 10, n_branchings = 0, min_group_size = 0.01,
                       allow_kendall_tau_shift = TRUE, neighbors_key = NULL,
                       root = NULL, root_key = NULL,
                       basis = c("symmetric", "right"),
                       unreachable = c("inf", "na", "error"),
                       diffmap_key = NULL, key_added = "dpt_pseudotime",
                       force = FALSE, n_threads = NULL,
                       show_progress_bar = NULL, ...) {
    .checkDots(...)
    .checkContainer(x)
    if (.containerClass(x) == "matrix") {
        .refuseMatrix(x, "cannot hold a pseudotime")
    }
    .checkKeyFree(x, .checkString(key_added), "computeDPT")
    settings <- list(
        n_dcs = .checkCount(n_dcs), n_branchings = .checkCount(n_branchings, 0),
        min_group_size = .checkNumber(min_group_size, 0),
        allow_kendall_tau_shift = .checkFlag(allow_kendall_tau_shift),
        basis = .checkChoice(basis, c("symmetric", "right")),
        unreachable = .checkChoice(unreachable, c("inf", "na", "error")),
        force = .checkFlag(force)
    )
    chosen <- .chosenRoot(x, root, root_key, key_added, settings)
    found <- .findGraph(x, neighbors_key)
    job <- .job(n_threads, show_progress_bar, "Pseudotime")
    .checkGraph(found$matrix)
    made <- .withDiffusionMap(
        x, diffmap_key, neighbors_key, settings$n_dcs, job
    )
    settings$n_dcs <- made$n_dcs
    at <- .rootCell(job, chosen, found$matrix, made$map)
    out <- .dptRun(job, found$matrix, made$map, at, settings)
    .storeDPT(
        made$x, out, key_added, settings, list(
            root = root, root_key = root_key, neighbors_key = neighbors_key,
            diffmap_key = made$map$key
        ), at, job
    )
}

# ---- Diffusion map ----

# The object with a diffusion map, the map itself (`vectors`, `values`, `key`),
# and the number of components to use.
.withDiffusionMap <- function(x, key, neighbors_key, n_dcs, job) {
    call <- job$call
    .checkString(key, null = TRUE, arg = "diffmap_key", call = call)
    name <- if (is.null(key)) .keyDiffusionMap(x) else key
    fresh <- !.hasEmbedding(x, name)
    if (fresh) {
        if (!is.null(key)) {
            .missingKey("diffusion map", key, .embeddingNames(x), call = call)
        }
        .inform(paste0(
            "There is no diffusion map yet: running computeDiffusionMap()."
        ))
        most <- length(.cellNames(x)) - 1L
        x <- computeDiffusionMap(
            x, n_comps = max(3L, min(max(15L, n_dcs), most)),
            neighbors_key = neighbors_key, n_threads = job$threads,
            show_progress_bar = FALSE
        )
    }
    map <- .readDiffusionMap(x, name, call)
    there <- length(map$values)
    if (n_dcs > there && fresh) {
        .warn("replaced_argument", paste0(
            "`n_dcs` = ", n_dcs, " exceeds the ", there, " components that ",
            .count(nrow(map$vectors), "cell"), " have; all are used."
        ), argument = "n_dcs", value = there)
    } else if (n_dcs > there) {
        .abort(
            "range", paste0(
                "`n_dcs` = ", n_dcs, ", but the diffusion map ",
                .someNames(name), " has ", .count(there, "component"), "."
            ), paste0(
                "Run computeDiffusionMap(n_comps = ", max(15L, n_dcs),
                "), or use fewer."
            ), argument = "n_dcs", value = n_dcs, call = call
        )
    }
    list(x = x, map = map, n_dcs = min(n_dcs, there))
}

.readDiffusionMap <- function(x, name, call) {
    .checkFresh(x, name, call)
    vectors <- .readEmbedding(x, name)
    values <- .diffusionValues(x, name)
    if (!is.numeric(values) || length(values) != ncol(vectors)) {
        .abort(
            "not_computed", paste0(
                "The embedding ", .someNames(name), " has ",
                .count(ncol(vectors), "column"), ", but ",
                if (is.null(values)) "no" else length(values),
                " eigenvalues are stored with it."
            ), "Run computeDiffusionMap() again, or name its `diffmap_key`.",
            key = name, call = call
        )
    }
    list(vectors = vectors, values = as.double(values), key = name)
}

# The eigenvalues kept in the record of the map, or beside it by other tools.
.diffusionValues <- function(x, name) {
    values <- .readRecord(x, name)$values
    if (is.null(values)) values <- .readMisc(x)[[.keyDiffusionValues]]
    values
}

# ---- Computation ----

.largestPiece <- 20000

.dptRun <- function(job, graph, map, at, settings) {
    n <- nrow(graph)
    share <- settings$min_group_size < 1
    smallest <- settings$min_group_size * if (share) n else 1
    split <- settings$n_branchings > 0L
    if (split && !settings$force && n > .largestPiece) {
        .abort(
            "range", paste0(
                "Branchings compare all pairs of the ", .count(n, "cell"),
                "; at most ", .largestPiece, " are allowed."
            ), "Use force = TRUE to wait for it (time grows with the square).",
            argument = "n_branchings", n_cells = n, call = job$call
        )
    }
    out <- .native(
        job, rs_dpt, .slots(graph), map$values, as.vector(map$vectors), at,
        list(
            n_dcs = settings$n_dcs, basis = settings$basis,
            n_branchings = settings$n_branchings,
            min_group_size = floor(smallest),
            allow_shift = settings$allow_kendall_tau_shift, limit = NULL
        ), cell_names = rownames(graph)
    )
    if (out$residual > 1e-3) {
        .abort(
            "container_stale", paste0(
                "The diffusion map ", .someNames(map$key), " is not one of ",
                "this graph: its eigenvectors leave a residual of ",
                format(out$residual, digits = 2), "."
            ), paste(
                "Run computeDiffusionMap() again: the graph was rebuilt since,",
                "or `neighbors_key` and `diffmap_key` do not belong together."
            ), key = map$key, residual = out$residual, call = job$call
        )
    }
    out
}

# ---- Storing ----

.storeDPT <- function(x, out, key, settings, sources, at, job) {
    cells <- .cellNames(x)
    values <- list()
    record <- .record(
        "computeDPT", params = c(settings, sources), cells = cells,
        run = .run(job, residual = out$residual)
    )
    if (!is.null(at)) {
        values[[key]] <- .reached(out, settings$unreachable, cells, job$call)
        record$root <- cells[at]
    }
    if (!is.null(out$branching)) {
        columns <- .keyBranches(key, c("groups", "order"))
        values[[columns[1L]]] <- .branchGroups(out$branching)
        rank <- rep(NA_integer_, length(cells))
        rank[out$branching$order] <- seq_along(out$branching$order)
        values[[columns[2L]]] <- rank
        record$keys <- columns
        record <- .branchRecord(record, out$branching, cells)
        .branchNotes(out$branching, settings, length(cells))
    }
    x <- .writeRecord(x, key, record, nested = FALSE)
    .writeCellData(x, values)
}

# Pseudotime with what unreachable cells are to get.
.reached <- function(out, unreachable, cells, call) {
    time <- out$pseudotime
    off <- !is.finite(time)
    if (!any(off)) return(time)
    text <- paste0(
        .count(sum(off), "cell"), " of ", length(cells), " cannot be reached ",
        "from the root: the graph has ", out$components, " components."
    )
    advice <- paste(
        "Use more neighbours in buildNeighbors(), or work on the cells of one",
        "component."
    )
    if (unreachable == "error") {
        .abort(
            "unreachable", text, advice, cells = cells[off],
            components = out$components, call = call
        )
    }
    if (unreachable == "na") time[off] <- NA_real_
    .warn(
        "disconnected", paste0(
            text, " Their pseudotime is ",
            if (unreachable == "na") "NA." else "Inf."
        ), advice, cells = cells[off], components = out$components
    )
    time
}

.branchGroups <- function(branching) {
    n <- length(branching$undecided)
    factor(branching$groups, levels = seq_len(n) - 1L)
}

.branchRecord <- function(record, branching, cells) {
    n <- length(branching$undecided)
    record$order_indices <- as.integer(branching$order)
    record$changepoints <- as.integer(branching$changepoints)
    record$grouptips <- matrix(
        cells[branching$tips], n,
        dimnames = list(as.character(seq_len(n) - 1L), c("first", "second"))
    )
    record$undecided <- branching$undecided
    record
}

.branchNotes <- function(branching, settings, n) {
    if (branching$found < settings$n_branchings) {
        .inform(paste0(
            "Of ", settings$n_branchings, " branchings ", branching$found,
            " were found: no other piece is large enough or has a third tip."
        ))
    }
    if (branching$unclaimed > 0) {
        .inform(paste0(
            .count(branching$unclaimed, "cell"), " of ", n, " belong to no ",
            "branch and are labelled \"0\" with the undecided ones."
        ))
    }
    if (branching$shifted > 0) {
        .warn("fallback", paste0(
            .count(branching$shifted, "cut"), " near the end of a piece ",
            "pulled back from the largest Kendall correlation."
        ), "Use allow_kendall_tau_shift = FALSE to keep the cuts.")
    }
}
