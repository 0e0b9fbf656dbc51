//! The name of any type, as C would write it: `struct file *`, `const char[16]`, `int (*)(void *)`.

use super::query::MAX_CHAIN;
use super::{Btf, Kind, Type};
use crate::TypeId;

impl Btf<'_> {
    /// The type's name as C writes it; `"?"` stands for what cannot be read.
    pub fn type_name(&self, id: TypeId) -> String {
        let mut suffix = String::new();
        let mut dimensions = String::new();
        let mut now = id;
        for _ in 0..MAX_CHAIN {
            let Ok(ty) = self.get(now) else {
                break;
            };
            match ty.kind() {
                Kind::Ptr => {
                    let points_to_array = self.kind_of(ty.size_field()) == Some(Kind::Array);
                    suffix = if points_to_array {
                        format!(" (*{suffix})")
                    } else {
                        format!(" *{}", suffix.trim_start())
                    };
                }
                Kind::Const => suffix = format!(" const{suffix}"),
                Kind::Volatile => suffix = format!(" volatile{suffix}"),
                Kind::Restrict => suffix = format!(" restrict{suffix}"),
                Kind::Array => {
                    let (len, element) = ty.array().map_or((0, now), |a| (a.len, a.element));
                    dimensions = format!("{dimensions}[{len}]");
                    now = element;
                    continue;
                }
                Kind::TypeTag | Kind::Var => {}
                Kind::FuncProto => {
                    let params: Vec<&str> = ty.params().map(|p| p.name).collect();
                    return format!("function({}){suffix}{dimensions}", params.join(", "));
                }
                _ => return format!("{}{suffix}{dimensions}", plain(&ty)),
            }
            now = TypeId(ty.size_field());
        }
        format!("?{suffix}{dimensions}")
    }

    fn kind_of(&self, id: u32) -> Option<Kind> {
        self.get(TypeId(id)).ok().map(|ty| ty.kind())
    }
}

/// A type that stands for itself.
fn plain(ty: &Type<'_>) -> String {
    let name = if ty.name().is_empty() {
        "(anonymous)"
    } else {
        ty.name()
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

#[cfg(test)]
mod tests {
    use super::super::BtfEditor;
    use super::*;

    #[test]
    fn names_read_like_c() {
        let mut b = BtfEditor::new();
        let int = b.add_int("int", 4, 0);
        let file = b.add_composite(Kind::Struct, "file", 4, &[("a", int, 0)]);
        let ptr = b.add_reference(Kind::Ptr, "", file);
        let constant = b.add_reference(Kind::Const, "", int);
        let ptr_const = b.add_reference(Kind::Ptr, "", constant);
        let inner = b.add_array(int, int, 3);
        let outer = b.add_array(inner, int, 2);
        let loop_ = b.next_id();
        b.add_reference(Kind::Ptr, "", loop_);
        let btf = Btf::from_vec(b.finish()).unwrap();
        assert_eq!(btf.type_name(ptr), "struct file *");
        assert_eq!(btf.type_name(ptr_const), "int const *");
        assert_eq!(btf.type_name(outer), "int[2][3]");
        assert_eq!(btf.type_name(TypeId::VOID), "void");
        assert!(btf.type_name(loop_).starts_with('?'));
    }
}
