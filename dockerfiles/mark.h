/* By which hook.c tells the filter of calls.h that a path is one of a compiled crate. */

/* Stands where the kernel reads nothing: in the mode of a file that is opened and not made, and in the wishes of statx. */
#define COMPILED 0x5b680000u
#define UNUSED_WISHES 0xfffc0000u
