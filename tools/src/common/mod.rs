//! What the tools share: the command line, when to end, how rows, histograms and stacks are printed, functions of the kernel.

mod args;
mod events;
mod failure;
mod function;
mod histogram;
mod probes;
mod stacks;
mod stop;
mod table;
mod tool;
mod values;

pub(crate) use args::Args;
pub(crate) use events::follow;
pub(crate) use failure::{Failure, Outcome, refused};
pub(crate) use function::{Function, Parameter, Pointee, REGISTERS};
pub(crate) use histogram::Histogram;
pub(crate) use probes::{ENTRY, RETURN, attach_to_many, load_for, load_for_many};
pub(crate) use stacks::{Form, Sample, print_stacks, samples};
pub(crate) use stop::Stop;
pub(crate) use table::{Column, left, number, right};
pub(crate) use tool::{Run, Tool};
pub(crate) use values::{address, fraction, text, uint};
