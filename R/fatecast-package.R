#' fatecast: cell fate from single-cell data
#'
#' From neighbours, clusters and layouts to a Markov chain, macrostates, fate
#' probabilities and driver genes, on the object you already have
#' (`SingleCellExperiment` or `Seurat`), with no Python.
#'
#' @section The way through:
#' 1. Data: [simulateDifferentiation()], or your own object; [computePCA()] if
#'    it has none.
#' 2. Graph: [buildNeighbors()]; [cellGraph()] shows it.
#' 3. Clusters and layouts: [clusterLeiden()], [embedUMAP()], [computePAGA()],
#'    [computeDiffusionMap()], [computeDPT()]; [plotEmbedding()],
#'    [plotPAGA()].
#' 4. Evidence of direction: [computeMoments()] and [estimateVelocity()] from
#'    spliced and unspliced counts, [computeCytotrace()] from gene counts,
#'    [computeCouplings()] or [readCouplings()] from time points.
#' 5. Kernels: [VelocityKernel()], [PseudotimeKernel()], [CytoTRACEKernel()],
#'    [RealTimeKernel()], [ConnectivityKernel()], [PrecomputedKernel()],
#'    combined as `0.8 * k1 + 0.2 * k2` ([kernel-algebra]); what they say is
#'    seen with [plotProjection()], [plotRandomWalks()], [plotSingleFlow()] and
#'    [cbc()].
#' 6. States: [GPCCA()], [computeSchur()], [computeMacrostates()],
#'    [macrostateProfile()]; [predictTerminalStates()] or
#'    [setTerminalStates()], [predictInitialStates()].
#' 7. Fates: [computeFateProbabilities()], [computeAbsorptionTimes()],
#'    [computeLineagePriming()], [computeLineageDrivers()]; how sure they are:
#'    [bootstrapFates()].
#' 8. All of it in one call: [castFates()].
#' 9. Plots: [plotMacrostates()], [plotFateProbabilities()],
#'    [plotLineageDrivers()], [plotFateUncertainty()], [plotCoarseT()],
#'    [plotSpectrum()].
#' 10. What was done: [parameters()], [fateHistory()], [certificates()].
#'
#' @section Conventions:
#' Every verb returns the changed object; nothing is modified in place.
#' Arguments have the names of scanpy and CellRank. Results do not depend on the
#' number of threads. Errors have classes: [fatecast-conditions].
#'
#' @importFrom methods Arith Math Math2 Ops is new as setClass setClassUnion
#'   setGeneric setMethod setValidity slot validObject callNextMethod
#'   isVirtualClass show
#' @importFrom rlang abort warn inform caller_env caller_fn caller_arg exec
#'   interrupt
#' @importClassesFrom Matrix dgCMatrix
#' @keywords internal
#' @useDynLib fatecast, .registration = TRUE
"_PACKAGE"

#' Threads, progress and interrupts
#'
#' @section Threads:
#' `n_threads = NULL` everywhere means: the option `fatecast.threads`, else the
#' environment variable `FATECAST_NUM_THREADS`, else
#' `parallelly::availableCores()` (which respects control groups, batch systems
#' and check limits), and 1 inside a BiocParallel worker or a forked child. The
#' number of threads changes the time and never the result.
#'
#' @section Progress:
#' `show_progress_bar = NULL` shows a bar in interactive sessions for steps
#' expected to last over two seconds; TRUE and FALSE force it.
#'
#' @section Interrupts:
#' Ctrl-C stops any step within a second; objects are as they were.
#'
#' @return Not applicable.
#' @name fatecast-threads
NULL

.onLoad <- function(libname, pkgname) {
    .state$pid <- Sys.getpid()
}
