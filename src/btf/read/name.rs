//! Any type as C would write it: `struct file *`, `const char[16]`, `int (*)(void *)`, `int (*handler)(int signal)`.
//!
//! In C, a type surrounds the name that it declares: pointers go before it, arrays and parameters after it. So the text grows
//! outwards from the name, one step for each type, until it reaches a named type.

use super::query::MAX_CHAIN;
use crate::TypeId;
use crate::btf::{Btf, Kind, Type};

/// How many types are visited for one text. A prototype with twelve callbacks needs fewer; corrupt types could need any
/// number.
const MOST_TYPES: u32 = 400;
/// How many bytes of names are written for one text.
const MOST_BYTES: usize = 1 << 12;
/// How deep functions among the parameters of functions are written out.
const DEEPEST: u32 = 4;

impl Btf<'_> {
    /// The type in C notation. `?` stands for what cannot be read, `...` for what would be too long.
    pub fn type_name(&self, id: TypeId) -> String {
        self.declaration(id, "")
    }

    /// The declaration of a function, variable or parameter of this type: `int bpf_obj_drop(void *object)`.
    #[doc(alias = "btf_dump__emit_type_decl")]
    pub fn declaration(&self, id: TypeId, name: &str) -> String {
        let mut writer = Writer {
            btf: self,
            left: MOST_TYPES,
            room: MOST_BYTES,
        };
        writer.declaration(id, name, 0)
    }
}

struct Writer<'a, 'b> {
    btf: &'a Btf<'b>,
    /// How many more types may be visited.
    left: u32,
    /// How many more bytes names may take.
    room: usize,
}

impl Writer<'_, '_> {
    fn declaration(&mut self, id: TypeId, name: &str, depth: u32) -> String {
        let mut text = self.fitting(name).to_owned();
        let mut qualifiers: Vec<String> = Vec::new();
        let mut now = id;
        for _ in 0..MAX_CHAIN {
            let Some(left) = self.left.checked_sub(1) else {
                return around("...", &text);
            };
            self.left = left;
            let Ok(ty) = self.btf.get(now) else {
                break;
            };
            match ty.kind() {
                Kind::Const => qualifiers.push("const".into()),
                Kind::Volatile => qualifiers.push("volatile".into()),
                Kind::Restrict => qualifiers.push("restrict".into()),
                Kind::Ptr => text = pointer(&std::mem::take(&mut qualifiers), &text),
                Kind::Array => {
                    let (len, element) = ty.array().map_or((0, now), |a| (a.len, a.element));
                    text = format!("{}[{len}]", grouped(&text));
                    now = element;
                    continue;
                }
                Kind::FuncProto => {
                    let params = self.params(&ty, depth);
                    text = format!("{}({params})", grouped(&text));
                    qualifiers.clear();
                }
                Kind::TypeTag | Kind::Var => {}
                _ => {
                    qualifiers.push(self.plain(&ty));
                    return around(&qualifiers.join(" "), &text);
                }
            }
            now = TypeId(ty.size_field());
        }
        around("?", &text)
    }

    fn params(&mut self, prototype: &Type<'_>, depth: u32) -> String {
        if depth == DEEPEST {
            return "...".into();
        }
        let params = prototype.params();
        if params.len() == 0 {
            return "void".into();
        }
        let mut texts = Vec::new();
        for param in params {
            if self.left == 0 {
                texts.push("...".into());
                break;
            }
            // A variadic parameter list ends in a parameter without name and type.
            texts.push(if param.type_id == TypeId::VOID {
                "...".into()
            } else {
                self.declaration(param.type_id, param.name, depth.saturating_add(1))
            });
        }
        texts.join(", ")
    }

    /// A type with its own name.
    fn plain(&mut self, ty: &Type<'_>) -> String {
        let name = match (ty.name(), ty.name_offset()) {
            ("", 0) => "{...}",
            // Not text, or too long.
            ("", _) => "?",
            (name, _) => self.fitting(name),
        };
        match ty.kind() {
            Kind::Void => "void".to_string(),
            Kind::Enum | Kind::Enum64 => format!("enum {name}"),
            Kind::Fwd if ty.kflag() => format!("union {name}"),
            Kind::Struct | Kind::Fwd => format!("struct {name}"),
            Kind::Union => format!("union {name}"),
            _ => name.to_string(),
        }
    }

    /// A name, if there is room.
    fn fitting<'n>(&mut self, name: &'n str) -> &'n str {
        match self.room.checked_sub(name.len()) {
            Some(room) => {
                self.room = room;
                name
            }
            None => "...",
        }
    }
}

/// `*`, `*const`, `*const name`
fn pointer(qualifiers: &[String], text: &str) -> String {
    if qualifiers.is_empty() {
        return format!("*{text}");
    }
    let qualified = format!("*{}", qualifiers.join(" "));
    around(&qualified, text)
}

/// Arrays and parameters bind more tightly than pointers.
fn grouped(text: &str) -> String {
    if text.starts_with('*') {
        format!("({text})")
    } else {
        text.to_owned()
    }
}

/// A type before what it declares.
fn around(base: &str, text: &str) -> String {
    let space = if text.is_empty() || text.starts_with('[') {
        ""
    } else {
        " "
    };
    format!("{base}{space}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{BtfBuilder, Info, Param, Signedness};

    /// Each declaration of `x` as C writes it, with the type's own name.
    #[test]
    #[expect(clippy::too_many_lines, reason = "one table of all kinds")]
    fn every_kind_reads_like_c() {
        let mut b = BtfBuilder::new();
        let int = b.add_int("int", 4, 0);
        let void = TypeId::VOID;
        let file = b.add_struct("file", 4, &[("a", int, 0)]);
        let unnamed = b.add_struct("", 4, &[("a", int, 0)]);
        let either = b.add_union("either", 4, &[("a", int, 0)]);
        let choice = b.add_enum("choice", 4, Signedness::Unsigned, &[("A", 1)]);
        let unnamed_enum = b.add_enum("", 4, Signedness::Unsigned, &[("B", 1)]);
        let typedef = b.add_typedef("u32", int);
        let mut of = |kind, target: TypeId| b.add_raw("", Info::of(kind), target.0, &[]);
        let ptr = of(Kind::Ptr, file);
        let ptr_ptr = of(Kind::Ptr, ptr);
        let void_ptr = of(Kind::Ptr, void);
        let constant = of(Kind::Const, int);
        let ptr_const = of(Kind::Ptr, constant);
        let const_ptr = of(Kind::Const, ptr);
        let ptr_const_ptr = of(Kind::Ptr, const_ptr);
        let volatile = of(Kind::Volatile, constant);
        let restricted = of(Kind::Restrict, void_ptr);
        let tagged = b.add_type_tag("user", int);
        let tagged_ptr = b.add_ptr(tagged);
        let inner = b.add_array(int, int, 3);
        let outer = b.add_array(inner, int, 2);
        let const_array = b.add_array(constant, int, 4);
        let pointers = b.add_array(ptr, int, 5);
        let ptr_array = b.add_ptr(inner);
        let nothing = b.add_func_proto(void, Param::NONE);
        let named = b.add_func_proto(int, &[("file", ptr), ("flags", typedef)]);
        let unnamed_params = b.add_func_proto(ptr, &[("", ptr_const), ("", typedef)]);
        let variadic = b.add_func_proto(int, &[("format", ptr_const), ("", void)]);
        let callback = b.add_ptr(named);
        let takes_callback = b.add_func_proto(void, &[("then", callback), ("", callback)]);
        let callbacks = b.add_array(callback, int, 7);
        let returns_callback = b.add_func_proto(callback, Param::NONE);
        let const_callback = b.add_const(callback);
        let btf = b.build().expect("valid types");
        for (id, name, declared) in [
            (void, "void", "void x"),
            (int, "int", "int x"),
            (typedef, "u32", "u32 x"),
            (file, "struct file", "struct file x"),
            (unnamed, "struct {...}", "struct {...} x"),
            (either, "union either", "union either x"),
            (choice, "enum choice", "enum choice x"),
            (unnamed_enum, "enum {...}", "enum {...} x"),
            (ptr, "struct file *", "struct file *x"),
            (ptr_ptr, "struct file **", "struct file **x"),
            (void_ptr, "void *", "void *x"),
            (ptr_const, "const int *", "const int *x"),
            (const_ptr, "struct file *const", "struct file *const x"),
            (
                ptr_const_ptr,
                "struct file *const *",
                "struct file *const *x",
            ),
            (volatile, "volatile const int", "volatile const int x"),
            (restricted, "void *restrict", "void *restrict x"),
            (tagged_ptr, "int *", "int *x"),
            (outer, "int[2][3]", "int x[2][3]"),
            (const_array, "const int[4]", "const int x[4]"),
            (pointers, "struct file *[5]", "struct file *x[5]"),
            (ptr_array, "int (*)[3]", "int (*x)[3]"),
            (nothing, "void (void)", "void x(void)"),
            (
                named,
                "int (struct file *file, u32 flags)",
                "int x(struct file *file, u32 flags)",
            ),
            (
                unnamed_params,
                "struct file *(const int *, u32)",
                "struct file *x(const int *, u32)",
            ),
            (
                variadic,
                "int (const int *format, ...)",
                "int x(const int *format, ...)",
            ),
            (
                callback,
                "int (*)(struct file *file, u32 flags)",
                "int (*x)(struct file *file, u32 flags)",
            ),
            (
                const_callback,
                "int (*const)(struct file *file, u32 flags)",
                "int (*const x)(struct file *file, u32 flags)",
            ),
            (
                takes_callback,
                "void (int (*then)(struct file *file, u32 flags), int (*)(struct file *file, u32 flags))",
                "void x(int (*then)(struct file *file, u32 flags), int (*)(struct file *file, u32 flags))",
            ),
            (
                callbacks,
                "int (*[7])(struct file *file, u32 flags)",
                "int (*x[7])(struct file *file, u32 flags)",
            ),
            (
                returns_callback,
                "int (*(void))(struct file *file, u32 flags)",
                "int (*x(void))(struct file *file, u32 flags)",
            ),
        ] {
            assert_eq!(btf.type_name(id), name);
            assert_eq!(btf.declaration(id, "x"), declared);
        }
    }

    #[test]
    fn damaged_types_take_no_time() {
        let mut b = BtfBuilder::new();
        let pointer_to_itself = b.next_id();
        b.add_ptr(pointer_to_itself);
        // A function whose thousand parameters are pointers to itself.
        let function = TypeId(b.next_id().0 + 1);
        let callback = b.add_ptr(function);
        let params: Vec<_> = (0..1000).map(|_| ("f", callback)).collect();
        assert_eq!(b.add_func_proto(callback, &params), function);
        let btf = b.build().expect("types");
        assert!(btf.type_name(pointer_to_itself).starts_with('?'));
        let text = btf.type_name(function);
        assert!(
            text.contains("...") && text.len() < 10_000,
            "{}",
            text.len()
        );
        assert_eq!(btf.type_name(TypeId(77)), "?");
    }
}
