# The value of computeCouplings().

.couplingList <- function(found, pairs, cells, settings, params) {
    names <- vapply(cells, `[[`, "", "name")
    couplings <- lapply(seq_along(cells), function(k) {
        .fromSlots(found[[k]]$matrix, cells[[k]]$source, cells[[k]]$target)
    })
    growth <- lapply(seq_along(cells), function(k) {
        matrix(
            found[[k]]$growth, length(cells[[k]]$source),
            dimnames = list(
                cells[[k]]$source, paste0("g", 0:settings$growth_iters)
            )
        )
    })
    diagnostics <- do.call(rbind, lapply(seq_along(cells), function(k) {
        .couplingDiagnostics(found[[k]], pairs[k, ], cells[[k]], settings)
    }))
    rownames(diagnostics) <- NULL
    lost <- unlist(lapply(seq_along(cells), function(k) {
        cells[[k]]$source[found[[k]]$lost]
    }))
    .reportCouplings(diagnostics, lost, settings)
    names(couplings) <- names(growth) <- names
    potentials <- if (settings$keep_potentials) {
        stats::setNames(lapply(seq_along(cells), function(k) {
            list(
                f = stats::setNames(found[[k]]$f, cells[[k]]$source),
                g = stats::setNames(found[[k]]$g, cells[[k]]$target)
            )
        }), names)
    }
    structure(
        couplings, class = "fatecast_couplings", pairs = pairs,
        growth = growth, diagnostics = diagnostics, potentials = potentials,
        params = lapply(params, .portable)
    )
}

# One row per round; what concerns the kept entries stands in the last.
.couplingDiagnostics <- function(found, pair, cells, settings) {
    rounds <- found$rounds
    k <- length(rounds$iterations)
    share <- found$share[!is.na(found$share)]
    if (!length(share)) share <- NA_real_
    infinite <- is.infinite(settings$lambda1)
    unknown <- if (infinite) NA_real_
    last <- function(value) c(rep(NA, k - 1L), value)
    data.frame(
        source = pair$source, target = pair$target, round = seq_len(k),
        n1 = length(cells$source), n2 = length(cells$target),
        scale = found$scale, iterations = rounds$iterations,
        converged = rounds$converged, primal = rounds$primal,
        gap = if (infinite) unknown else rounds$gap,
        relative_gap = if (infinite) unknown else rounds$relative_gap,
        row_residual = rounds$row_residual,
        col_residual = if (settings$keep_potentials) {
            last(rounds$col_residual[k])
        } else {
            NA_real_
        },
        tv_bound = if (infinite) unknown else rounds$tv_bound,
        entry_bound = rounds$entry_bound, mass = rounds$mass,
        rho = rounds$rho, entries = last(length(found$matrix$x)),
        kept_mass_min = last(min(share)),
        kept_mass_median = last(stats::median(share)),
        without_descendants = last(length(found$lost))
    )
}

.reportCouplings <- function(diagnostics, lost, settings) {
    named <- function(rows) {
        unique(paste0(diagnostics$source, "_", diagnostics$target)[rows])
    }
    open <- !diagnostics$converged
    if (any(open)) {
        residual <- max(diagnostics$relative_gap[open])
        .warn(
            "not_converged", paste0(
                "After ", settings$max_iter, " iterations the couplings ",
                .someNames(named(open)), " have a relative gap of up to ",
                signif(residual, 3), " (tolerance ", settings$tolerance,
                "); plain updates contract by ",
                signif(max(diagnostics$rho[open]), 4), "."
            ), paste(
                "Use a larger `epsilon`, more `n_groups` or a larger",
                "`max_iter`."
            ),
            pairs = named(open), residual = residual,
            iterations = settings$max_iter
        )
    }
    if (length(lost)) {
        .warn(
            "dropped", paste0(
                .count(length(lost), "cell"), " far from all cells of the ",
                "later time have no descendants: ", .someNames(lost), "."
            ), cells = lost
        )
    }
    thin <- diagnostics$kept_mass_median < 0.5
    thin <- !is.na(thin) & thin
    if (any(thin)) {
        least <- min(diagnostics$kept_mass_median[thin])
        .warn(
            "dropped", paste0(
                "The entries that `threshold` keeps hold only ",
                signif(100 * least, 3), "% of a cell's descendants ",
                "(median) in the couplings ", .someNames(named(thin)), "."
            ), "Use `threshold = c(row_mass = 0.9)` to keep more.",
            pairs = named(thin), kept = least
        )
    }
}
