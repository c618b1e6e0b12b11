//! GraphQL documents as trees, shaped as OPA shows them (its library's structures, field by field).

use smol_str::SmolStr;

/// Where something stands in the text; nothing for what came as an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pos {
    pub(super) line: usize,
    pub(super) column: i64,
}

/// Comment lines, `#` included.
pub(super) type Comments = Vec<String>;

#[derive(Default)]
pub(super) struct Query {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: Vec<Fragment>,
}

#[derive(Default)]
pub(super) struct Operation {
    /// `query`, `mutation`, `subscription`.
    pub(super) operation: SmolStr,
    pub(super) name: SmolStr,
    pub(super) variables: Vec<Variable>,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

#[derive(Default)]
pub(super) struct Variable {
    pub(super) name: SmolStr,
    pub(super) of: TypeRef,
    pub(super) default: Option<Literal>,
    pub(super) directives: Vec<Directive>,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

#[derive(Default)]
pub(super) struct Fragment {
    pub(super) name: SmolStr,
    pub(super) variables: Vec<Variable>,
    pub(super) on: SmolStr,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

pub(super) enum Selection {
    Field(Field),
    Spread(Spread),
    Inline(Inline),
}

#[derive(Default)]
pub(super) struct Field {
    pub(super) alias: SmolStr,
    pub(super) name: SmolStr,
    pub(super) arguments: Vec<Argument>,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

impl Field {
    /// The name it has in the response.
    pub(super) fn response(&self) -> &SmolStr {
        match self.alias.is_empty() {
            true => &self.name,
            false => &self.alias,
        }
    }
}

#[derive(Default)]
pub(super) struct Spread {
    pub(super) name: SmolStr,
    pub(super) directives: Vec<Directive>,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

#[derive(Default)]
pub(super) struct Inline {
    pub(super) on: SmolStr,
    pub(super) directives: Vec<Directive>,
    pub(super) selections: Vec<Selection>,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

#[derive(Default)]
pub(super) struct Argument {
    pub(super) name: SmolStr,
    pub(super) value: Literal,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

#[derive(Default)]
pub(super) struct Directive {
    pub(super) name: SmolStr,
    pub(super) arguments: Vec<Argument>,
    pub(super) location: SmolStr,
    pub(super) pos: Option<Pos>,
}

/// What a literal is; the numbers are those OPA shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LiteralKind {
    #[default]
    Variable,
    Int,
    Float,
    String,
    Block,
    Boolean,
    Null,
    Enum,
    List,
    Object,
}

impl LiteralKind {
    pub(super) const ALL: [LiteralKind; 10] = [
        LiteralKind::Variable,
        LiteralKind::Int,
        LiteralKind::Float,
        LiteralKind::String,
        LiteralKind::Block,
        LiteralKind::Boolean,
        LiteralKind::Null,
        LiteralKind::Enum,
        LiteralKind::List,
        LiteralKind::Object,
    ];
}

#[derive(Default)]
pub(super) struct Literal {
    pub(super) raw: SmolStr,
    pub(super) children: Vec<Child>,
    pub(super) kind: LiteralKind,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

/// An item of a list (no name) or a field of an object.
#[derive(Default)]
pub(super) struct Child {
    pub(super) name: SmolStr,
    pub(super) value: Literal,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

/// A type as it is written: a name, or a list of another.
#[derive(Clone, Default)]
pub(super) struct TypeRef {
    pub(super) named: SmolStr,
    pub(super) elem: Option<Box<TypeRef>>,
    pub(super) non_null: bool,
    pub(super) pos: Option<Pos>,
}

impl TypeRef {
    pub(super) fn named(name: &str, non_null: bool) -> TypeRef {
        TypeRef {
            named: name.into(),
            non_null,
            ..TypeRef::default()
        }
    }

    /// The name at its heart.
    pub(super) fn name(&self) -> &str {
        let mut t = self;
        while let (true, Some(elem)) = (t.named.is_empty(), &t.elem) {
            t = elem;
        }
        &t.named
    }

    /// Whether a value of this type fits where another is wanted.
    pub(super) fn fits(&self, other: &TypeRef) -> bool {
        let (mut a, mut b) = (self, other);
        loop {
            if a.named != b.named || (b.non_null && !a.non_null) {
                return false;
            }
            match (&a.elem, &b.elem) {
                (None, _) => return true,
                (Some(_), None) => return false,
                (Some(x), Some(y)) => (a, b) = (x, y),
            }
        }
    }
}

impl std::fmt::Display for TypeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bang = if self.non_null { "!" } else { "" };
        match (&self.elem, self.named.is_empty()) {
            (Some(elem), true) => write!(f, "[{elem}]{bang}"),
            _ => write!(f, "{}{bang}", self.named),
        }
    }
}

#[derive(Default)]
pub(super) struct SchemaText {
    pub(super) schema: Vec<Roots>,
    pub(super) extension: Vec<Roots>,
    pub(super) directives: Vec<DirectiveDefinition>,
    pub(super) definitions: Vec<Definition>,
    pub(super) extensions: Vec<Definition>,
    pub(super) comment: Comments,
}

/// `schema { query: Q }`.
#[derive(Default)]
pub(super) struct Roots {
    pub(super) description: SmolStr,
    pub(super) directives: Vec<Directive>,
    pub(super) types: Vec<Root>,
    pub(super) pos: Option<Pos>,
    pub(super) comments: Around,
}

/// One line of it.
#[derive(Default)]
pub(super) struct Root {
    pub(super) operation: SmolStr,
    pub(super) of: SmolStr,
    pub(super) pos: Option<Pos>,
    pub(super) comment: Comments,
}

/// Comments before and after a description, and at the end of what is defined.
#[derive(Default)]
pub(super) struct Around {
    pub(super) before: Comments,
    pub(super) after: Comments,
    pub(super) end: Comments,
}

/// A type, or an extension of one.
#[derive(Default)]
pub(super) struct Definition {
    /// `SCALAR`, `OBJECT`, `INTERFACE`, `UNION`, `ENUM`, `INPUT_OBJECT`.
    pub(super) kind: SmolStr,
    pub(super) description: SmolStr,
    pub(super) name: SmolStr,
    pub(super) directives: Vec<Directive>,
    pub(super) interfaces: Vec<SmolStr>,
    pub(super) fields: Vec<FieldDefinition>,
    pub(super) types: Vec<SmolStr>,
    pub(super) values: Vec<EnumValue>,
    pub(super) pos: Option<Pos>,
    pub(super) built_in: bool,
    pub(super) comments: Around,
}

impl Definition {
    pub(super) fn field(&self, name: &str) -> Option<&FieldDefinition> {
        self.fields.iter().find(|f| f.name == name)
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self.kind.as_str(), "ENUM" | "SCALAR")
    }

    pub(super) fn is_abstract(&self) -> bool {
        matches!(self.kind.as_str(), "INTERFACE" | "UNION")
    }

    pub(super) fn is_composite(&self) -> bool {
        matches!(self.kind.as_str(), "OBJECT" | "INTERFACE" | "UNION")
    }

    pub(super) fn is_input(&self) -> bool {
        matches!(self.kind.as_str(), "SCALAR" | "ENUM" | "INPUT_OBJECT")
    }
}

/// A field of a type, also of an input; arguments of fields and directives have the same shape.
#[derive(Default)]
pub(super) struct FieldDefinition {
    pub(super) description: SmolStr,
    pub(super) name: SmolStr,
    pub(super) arguments: Vec<FieldDefinition>,
    pub(super) default: Option<Literal>,
    pub(super) of: TypeRef,
    pub(super) directives: Vec<Directive>,
    pub(super) pos: Option<Pos>,
    pub(super) comments: Around,
}

impl FieldDefinition {
    pub(super) fn argument(&self, name: &str) -> Option<&FieldDefinition> {
        self.arguments.iter().find(|a| a.name == name)
    }
}

#[derive(Default)]
pub(super) struct EnumValue {
    pub(super) description: SmolStr,
    pub(super) name: SmolStr,
    pub(super) directives: Vec<Directive>,
    pub(super) comments: Around,
}

#[derive(Default)]
pub(super) struct DirectiveDefinition {
    pub(super) description: SmolStr,
    pub(super) name: SmolStr,
    pub(super) arguments: Vec<FieldDefinition>,
    pub(super) locations: Vec<SmolStr>,
    pub(super) repeatable: bool,
    pub(super) pos: Option<Pos>,
    pub(super) comments: Around,
}

impl DirectiveDefinition {
    pub(super) fn argument(&self, name: &str) -> Option<&FieldDefinition> {
        self.arguments.iter().find(|a| a.name == name)
    }
}
