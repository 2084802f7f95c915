/* The only C of the package: what must not run with Rust frames below it.
 *
 * R_init_fatecast hands over to the table of routines that the Rust library
 * builds, and fatecast_interrupt_pending answers the Rust side's question
 * "does the user want out?".
 */

#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Utils.h>
#include <R_ext/Visibility.h>

void R_init_fatecast_extendr(void *dll);
void register_extendr_panic_hook(void);
int fatecast_interrupt_pending(void);

void attribute_visible R_init_fatecast(DllInfo *dll)
{
    /* Without the hook each panic, caught or not, writes to stderr. */
    register_extendr_panic_hook();
    R_init_fatecast_extendr(dll);
}

static void check_interrupt(void *unused)
{
    (void) unused;
    R_CheckUserInterrupt();
}

/* R_CheckUserInterrupt leaves by a long jump when an interrupt is pending.
 * R_ToplevelExec stops that jump here, above every Rust frame, and reports it
 * by returning FALSE. The interrupt is consumed; the caller raises it again
 * in R. To be called from R's main thread only.
 */
int fatecast_interrupt_pending(void)
{
    return R_ToplevelExec(check_interrupt, NULL) ? 0 : 1;
}
