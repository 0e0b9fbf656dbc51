//! The header of a library: its maps, programs and variables in an object that it was linked into.

use super::facts::{self, Facts};
use super::fill;
use super::shape::{self, line};
use super::skeleton::{comment, named};
use super::writer::Access;
use crate::open::OpenObject;
use crate::{Error, ErrorKind, Result};
use std::fmt::Write as _;

/// Writes a header for the C or C++ half of a BPF library: its maps, programs and variables by name, found in an opened object that the
/// library is part of. Names and layout are those of `bpftool gen subskeleton`.
#[derive(Debug, Clone)]
pub struct Subskeleton<'o> {
    open: &'o OpenObject,
    name: Option<String>,
}

impl<'o> Subskeleton<'o> {
    /// A header for a library's object.
    pub fn new(open: &'o OpenObject) -> Self {
        Self { open, name: None }
    }

    /// Sets the name of the structure, with which the names of all functions begin [default: `library_bpf`, for
    /// `library.bpf.o`].
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Writes the header.
    ///
    /// # Errors
    /// `Unsupported` if the object has no types, by which variables are found; and those of
    /// [`Skeleton::write`](super::Skeleton::write).
    #[doc(alias = "bpftool gen subskeleton")]
    pub fn write(&self) -> Result<String> {
        let of_object = |error: Error| error.of_object(self.open.path(), self.open.name());
        if self.open.btf().is_none() {
            let message = "a subskeleton finds variables by type information, and there is none";
            let error = Error::new(ErrorKind::Unsupported, message);
            return Err(of_object(error.with_hint("compile with clang -g")));
        }
        let mut facts =
            Facts::of(self.open, self.name.as_deref(), Access::Variables).map_err(of_object)?;
        // libbpf does not look for variables there.
        for section in facts
            .sections
            .iter_mut()
            .filter(|section| facts::is_arena(section))
        {
            section.variables.clear();
        }
        let name = &facts.name;
        let mut text = String::new();
        shape::start(&mut text, &facts, "SUBSKEL", &comment(self.open));
        line!(text, "struct {name} {{");
        text.push_str("\tstruct bpf_object *obj;\n\tstruct bpf_object_subskeleton *subskel;\n");
        shape::fields(&mut text, &facts, Access::Variables);
        text.push_str(&named(CLASS, name));
        text.push_str(&named(OPEN, name));
        fill::variables(&mut text, &facts);
        fill::maps(&mut text, &facts, Access::Variables);
        fill::programs(&mut text, &facts, Access::Variables);
        text.push_str(OPENED);
        fill::tables(&mut text, &facts);
        text.push_str(&named(END, name));
        shape::end(&mut text, &facts, "SUBSKEL");
        Ok(text)
    }
}

const CLASS: &str = "
#ifdef __cplusplus
	static inline struct @ *open(const struct bpf_object *src);
	static inline void destroy(struct @ *skel);
#endif /* __cplusplus */
};

";

const OPEN: &str = "\
static inline void
@__destroy(struct @ *skel)
{
	if (!skel)
		return;
	if (skel->subskel)
		bpf_object__destroy_subskeleton(skel->subskel);
	free(skel);
}

static inline struct @ *
@__open(const struct bpf_object *src)
{
	struct @ *obj;
	struct bpf_object_subskeleton *s;
	struct bpf_map_skeleton *map __attribute__((unused));
	int err;

	obj = (struct @ *)calloc(1, sizeof(*obj));
	if (!obj) {
		err = -ENOMEM;
		goto err;
	}
	s = (struct bpf_object_subskeleton *)calloc(1, sizeof(*s));
	if (!s) {
		err = -ENOMEM;
		goto err;
	}
	s->sz = sizeof(*s);
	s->obj = src;
	s->var_skel_sz = sizeof(*s->vars);
	obj->subskel = s;
";

const OPENED: &str = "
	err = bpf_object__open_subskeleton(s);
	if (err)
		goto err;

";

const END: &str = "\
	return obj;
err:
	@__destroy(obj);
	errno = -err;
	return NULL;
}

#ifdef __cplusplus
struct @ *@::open(const struct bpf_object *src) { return @__open(src); }
void @::destroy(struct @ *skel) { @__destroy(skel); }
#endif /* __cplusplus */
";
