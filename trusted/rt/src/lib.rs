//! Memory routines and relocation for a program without libc.
