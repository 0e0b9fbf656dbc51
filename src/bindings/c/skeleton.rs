//! The header of a whole object.

use super::facts::Facts;
use super::fill;
use super::literal::{lines, string};
use super::shape::{self, line};
use super::writer::Access;
use crate::Result;
use crate::open::OpenObject;
use crate::printing::one_line;
use std::fmt::Write as _;

/// Writes a header for C and C++ programs that link libbpf: the object's bytes, its maps, programs and variables by name, and
/// functions that open, load and attach it. Names and layout are those of `bpftool gen skeleton`.
///
/// The header declares variables with the types of the object, which are not part of it: include the headers with their
/// definitions before.
///
/// ```
/// # fn main() -> rawbpf::Result<()> {
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/opensnoop.bpf.o");
/// use rawbpf::OpenObject;
/// use rawbpf::bindings::c::Skeleton;
///
/// let bytes = std::fs::read(path).expect("an object");
/// let open = OpenObject::from_file(path)?;
/// let header = Skeleton::new(&open, &bytes).write()?;
/// assert!(header.contains("opensnoop_bpf__open_and_load(void)"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Skeleton<'o> {
    open: &'o OpenObject,
    bytes: &'o [u8],
    name: Option<String>,
}

impl<'o> Skeleton<'o> {
    /// A header for an object, which has these bytes.
    pub fn new(open: &'o OpenObject, bytes: &'o [u8]) -> Self {
        Self {
            open,
            bytes,
            name: None,
        }
    }

    /// Sets the name of the structure, with which the names of all functions begin [default: `opensnoop_bpf`, for
    /// `opensnoop.bpf.o`].
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// Writes the header.
    ///
    /// # Errors
    /// `InvalidArgument` if the name is none in C; `InvalidObject` if variables overlap; `Btf` if the object's types are invalid or
    /// would take too much text.
    #[doc(alias = "bpftool gen skeleton")]
    pub fn write(&self) -> Result<String> {
        let facts = Facts::of(self.open, self.name.as_deref(), Access::Sections)
            .map_err(|error| error.of_object(self.open.path(), self.open.name()))?;
        let name = &facts.name;
        let mut text = String::with_capacity(self.bytes.len().saturating_mul(3));
        shape::start(&mut text, &facts, "SKEL", &comment(self.open));
        text.push_str("#define BPF_SKEL_SUPPORTS_MAP_AUTO_ATTACH 1\n\n");
        line!(text, "struct {name} {{");
        text.push_str("\tstruct bpf_object_skeleton *skeleton;\n\tstruct bpf_object *obj;\n");
        shape::fields(&mut text, &facts, Access::Sections);
        text.push_str(&named(CLASS, name));
        text.push_str("};\n\n");
        text.push_str(&named(DESTROY_AND_OPEN, name));
        fill::tables(&mut text, &facts);
        text.push_str(&named(LOAD_AND_ATTACH, name));
        line!(text, "\ts->name = {};", string(name));
        text.push_str("\ts->obj = &obj->obj;\n");
        fill::maps(&mut text, &facts, Access::Sections);
        fill::programs(&mut text, &facts, Access::Sections);
        text.push_str(&named(FILLED, name));
        text.push_str(&lines(self.bytes));
        text.push_str(&named(BYTES_END, name));
        if self.open.btf().is_some() {
            asserts(&mut text, &facts);
        }
        shape::end(&mut text, &facts, "SKEL");
        Ok(text)
    }
}

/// What the header was made from, in a comment.
pub(super) fn comment(open: &OpenObject) -> String {
    let file = open.path().and_then(|path| path.file_name());
    let name = file.map_or(open.name().into(), |file| file.to_string_lossy());
    // Neither the end of a comment nor the start of another.
    one_line(&name).replace("*/", "* /").replace("/*", "/ *")
}

/// The functions of every header, with the structure's name in place of `@`.
pub(super) fn named(template: &str, name: &str) -> String {
    template.replace('@', name)
}

const CLASS: &str = "
#ifdef __cplusplus
	static inline struct @ *open(const struct bpf_object_open_opts *opts = nullptr);
	static inline struct @ *open_and_load();
	static inline int load(struct @ *skel);
	static inline int attach(struct @ *skel);
	static inline void detach(struct @ *skel);
	static inline void destroy(struct @ *skel);
	static inline const void *elf_bytes(size_t *sz);
#endif /* __cplusplus */
";

const DESTROY_AND_OPEN: &str = "\
static inline void
@__destroy(struct @ *obj)
{
	if (!obj)
		return;
	if (obj->skeleton)
		bpf_object__destroy_skeleton(obj->skeleton);
	free(obj);
}

static inline int
@__create_skeleton(struct @ *obj);

static inline struct @ *
@__open_opts(const struct bpf_object_open_opts *opts)
{
	struct @ *obj;
	int err;

	obj = (struct @ *)calloc(1, sizeof(*obj));
	if (!obj) {
		errno = ENOMEM;
		return NULL;
	}

	err = @__create_skeleton(obj);
	if (!err)
		err = bpf_object__open_skeleton(obj->skeleton, opts);
	if (err) {
		@__destroy(obj);
		errno = -err;
		return NULL;
	}

";

const LOAD_AND_ATTACH: &str = "\
	return obj;
}

static inline struct @ *
@__open(void)
{
	return @__open_opts(NULL);
}

static inline int
@__load(struct @ *obj)
{
	return bpf_object__load_skeleton(obj->skeleton);
}

static inline struct @ *
@__open_and_load(void)
{
	struct @ *obj;
	int err;

	obj = @__open();
	if (!obj)
		return NULL;
	err = @__load(obj);
	if (err) {
		@__destroy(obj);
		errno = -err;
		return NULL;
	}
	return obj;
}

static inline int
@__attach(struct @ *obj)
{
	return bpf_object__attach_skeleton(obj->skeleton);
}

static inline void
@__detach(struct @ *obj)
{
	bpf_object__detach_skeleton(obj->skeleton);
}

static inline const void *
@__elf_bytes(size_t *sz);

static inline int
@__create_skeleton(struct @ *obj)
{
	struct bpf_object_skeleton *s;
	struct bpf_map_skeleton *map __attribute__((unused));
	int err;

	s = (struct bpf_object_skeleton *)calloc(1, sizeof(*s));
	if (!s) {
		err = -ENOMEM;
		goto err;
	}

	s->sz = sizeof(*s);
";

const FILLED: &str = "
	s->data = @__elf_bytes(&s->data_sz);

	obj->skeleton = s;
	return 0;
err:
	bpf_object__destroy_skeleton(s);
	return err;
}

static inline const void *
@__elf_bytes(size_t *sz)
{
	static const char data[] __attribute__((__aligned__(8))) =
";

const BYTES_END: &str = "\t\t;

	*sz = sizeof(data) - 1;
	return (const void *)data;
}

#ifdef __cplusplus
struct @ *@::open(const struct bpf_object_open_opts *opts) { return @__open_opts(opts); }
struct @ *@::open_and_load() { return @__open_and_load(); }
int @::load(struct @ *skel) { return @__load(skel); }
int @::attach(struct @ *skel) { return @__attach(skel); }
void @::detach(struct @ *skel) { @__detach(skel); }
void @::destroy(struct @ *skel) { @__destroy(skel); }
const void *@::elf_bytes(size_t *sz) { return @__elf_bytes(sz); }
#endif /* __cplusplus */
";

/// Lets the compiler check that the types of variables are those of the object.
fn asserts(text: &mut String, facts: &Facts) {
    let variables = facts.sections.iter().flat_map(|section| {
        let all = section.variables.iter();
        all.map(move |variable| (section, variable))
    });
    let name = &facts.name;
    line!(
        text,
        "\n__attribute__((unused)) static void\n\
         {name}__assert(struct {name} *s __attribute__((unused)))\n{{"
    );
    text.push_str("#ifdef __cplusplus\n#define _Static_assert static_assert\n#endif\n");
    for (section, variable) in variables {
        line!(
            text,
            "\t_Static_assert(sizeof(s->{}->{}) == {}, {});",
            section.field,
            variable.field,
            variable.size,
            string(&format!("unexpected size of '{}'", variable.name))
        );
    }
    text.push_str("#ifdef __cplusplus\n#undef _Static_assert\n#endif\n}\n");
}
