//! The parser of schemas.

use super::ast::{
    Around, Comments, Definition, DirectiveDefinition, EnumValue, FieldDefinition, Root, Roots, SchemaText,
};
use super::lex::Kind;
use super::parse::Parser;
use smol_str::SmolStr;

/// Where directives may stand.
const LOCATIONS: &[&str] = &[
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
    "SCHEMA",
    "SCALAR",
    "OBJECT",
    "FIELD_DEFINITION",
    "ARGUMENT_DEFINITION",
    "INTERFACE",
    "UNION",
    "ENUM",
    "ENUM_VALUE",
    "INPUT_OBJECT",
    "INPUT_FIELD_DEFINITION",
];

/// A description and the comments before it.
#[derive(Default)]
struct Described {
    text: SmolStr,
    comment: Comments,
}

impl Parser<'_> {
    pub(super) fn schema(&mut self) -> SchemaText {
        let mut out = SchemaText::default();
        while self.peek().kind != Kind::End && self.error.is_none() {
            let description = self.description();
            let token = self.peek();
            if token.kind != Kind::Name {
                self.unexpected();
                break;
            }
            match token.value.as_str() {
                "scalar" | "type" | "interface" | "union" | "enum" | "input" => {
                    out.definitions.push(self.definition(description));
                }
                "schema" => out.schema.push(self.roots(description)),
                "directive" => out.directives.push(self.directive_definition(description)),
                "extend" => {
                    if !description.text.is_empty() {
                        let token = self.previous.clone();
                        self.unexpected_token(&token);
                    }
                    self.extension(&mut out);
                }
                _ => self.unexpected(),
            }
        }
        out.comment = self.comment.clone();
        out
    }

    fn description(&mut self) -> Described {
        if !matches!(self.peek().kind, Kind::String | Kind::Block) {
            return Described::default();
        }
        Described {
            comment: self.comment.clone(),
            text: self.next().value,
        }
    }

    /// The description of a part of a definition, and the comments around it. An empty one is none.
    fn part(&mut self) -> (SmolStr, Around) {
        let description = self.description();
        let before = match description.text.is_empty() {
            true => Comments::new(),
            false => description.comment,
        };
        self.peek();
        let after = self.comment.clone();
        let around = Around {
            before,
            after,
            end: Comments::new(),
        };
        (description.text, around)
    }

    fn root_types(&mut self, out: &mut Roots) {
        out.comments.end = self.some(Kind::BraceL, Kind::BraceR, |p| {
            let pos = p.pos();
            let comment = p.comment.clone();
            let operation = p.operation_type();
            p.expect(Kind::Colon);
            out.types.push(Root {
                operation,
                of: p.name(),
                pos,
                comment,
            });
        });
    }

    fn roots(&mut self, description: Described) -> Roots {
        let after = self.keyword("schema");
        let mut out = Roots {
            description: description.text,
            pos: self.pos(),
            ..Roots::default()
        };
        out.comments.before = description.comment;
        out.comments.after = after;
        out.directives = self.directives(true);
        self.root_types(&mut out);
        out
    }

    /// A definition from its word on.
    fn definition(&mut self, description: Described) -> Definition {
        let word = self.peek().value;
        let after = self.keyword(&word);
        let mut out = Definition {
            description: description.text,
            pos: self.pos(),
            ..Definition::default()
        };
        out.comments.before = description.comment;
        out.comments.after = after;
        self.define(&word, &mut out, true);
        out
    }

    /// What follows the word of a definition or an extension.
    fn define(&mut self, word: &str, out: &mut Definition, whole: bool) {
        out.kind = match word {
            "scalar" => "SCALAR",
            "type" => "OBJECT",
            "interface" => "INTERFACE",
            "union" => "UNION",
            "enum" => "ENUM",
            _ => "INPUT_OBJECT",
        }
        .into();
        out.name = self.name();
        if word == "type" || (word == "interface" && whole) {
            out.interfaces = self.interfaces();
        }
        // In extensions of inputs the library lets variables pass.
        out.directives = self.directives(word != "input" || whole);
        match word {
            "type" | "interface" => {
                out.comments.end = self.some(Kind::BraceL, Kind::BraceR, |p| {
                    let field = p.field_definition();
                    out.fields.push(field);
                });
            }
            "union" => out.types = self.members(),
            "enum" => {
                out.comments.end = self.some(Kind::BraceL, Kind::BraceR, |p| {
                    let (description, comments) = p.part();
                    out.values.push(EnumValue {
                        description,
                        name: p.name(),
                        directives: p.directives(true),
                        comments,
                    });
                });
            }
            "input" => {
                out.comments.end = self.some(Kind::BraceL, Kind::BraceR, |p| {
                    let field = p.value_definition();
                    out.fields.push(field);
                });
            }
            _ => {}
        }
    }

    fn interfaces(&mut self) -> Vec<SmolStr> {
        if self.peek().value != "implements" {
            return Vec::new();
        }
        self.next();
        self.names(Kind::Amp)
    }

    fn members(&mut self) -> Vec<SmolStr> {
        match self.skip(Kind::Equals) {
            true => self.names(Kind::Pipe),
            false => Vec::new(),
        }
    }

    /// Names with a token between them, which may also stand before the first.
    fn names(&mut self, between: Kind) -> Vec<SmolStr> {
        self.skip(between);
        let mut out = vec![self.name()];
        while self.skip(between) && self.error.is_none() {
            out.push(self.name());
        }
        out
    }

    fn field_definition(&mut self) -> FieldDefinition {
        let (description, comments) = self.part();
        let pos = self.pos();
        let name = self.name();
        let arguments = self.argument_definitions();
        self.expect(Kind::Colon);
        FieldDefinition {
            description,
            name,
            arguments,
            of: self.type_ref(),
            directives: self.directives(true),
            default: None,
            pos,
            comments,
        }
    }

    fn argument_definitions(&mut self) -> Vec<FieldDefinition> {
        let mut out = Vec::new();
        self.some(Kind::ParenL, Kind::ParenR, |p| out.push(p.value_definition()));
        out
    }

    /// An argument, or a field of an input.
    fn value_definition(&mut self) -> FieldDefinition {
        let (description, comments) = self.part();
        let pos = self.pos();
        let name = self.name();
        self.expect(Kind::Colon);
        let of = self.type_ref();
        let default = self.skip(Kind::Equals).then(|| self.literal(true));
        FieldDefinition {
            description,
            name,
            arguments: Vec::new(),
            default,
            of,
            directives: self.directives(true),
            pos,
            comments,
        }
    }

    fn extension(&mut self, out: &mut SchemaText) {
        let comment = self.keyword("extend");
        let word = self.peek().value;
        match word.as_str() {
            "schema" => {
                self.keyword("schema");
                let mut roots = Roots {
                    pos: self.pos(),
                    ..Roots::default()
                };
                roots.comments.after = comment;
                roots.directives = self.directives(true);
                self.root_types(&mut roots);
                if roots.directives.is_empty() && roots.types.is_empty() {
                    self.unexpected();
                }
                out.extension.push(roots);
            }
            "scalar" | "type" | "interface" | "union" | "enum" | "input" => {
                self.keyword(&word);
                let mut definition = Definition {
                    pos: self.pos(),
                    ..Definition::default()
                };
                definition.comments.after = comment;
                self.define(&word, &mut definition, false);
                let d = &definition;
                let bare = d.interfaces.is_empty() && d.directives.is_empty() && d.fields.is_empty();
                if bare && d.types.is_empty() && d.values.is_empty() {
                    self.unexpected();
                }
                out.extensions.push(definition);
            }
            _ => self.unexpected(),
        }
    }

    fn directive_definition(&mut self, description: Described) -> DirectiveDefinition {
        let after = self.keyword("directive");
        self.expect(Kind::At);
        let mut out = DirectiveDefinition {
            pos: self.pos(),
            description: description.text,
            ..DirectiveDefinition::default()
        };
        out.comments.before = description.comment;
        out.comments.after = after;
        out.name = self.name();
        out.arguments = self.argument_definitions();
        let token = self.peek();
        if token.kind == Kind::Name && token.value == "repeatable" {
            out.repeatable = true;
            self.skip(Kind::Name);
        }
        self.keyword("on");
        self.skip(Kind::Pipe);
        out.locations.push(self.location());
        while self.skip(Kind::Pipe) && self.error.is_none() {
            out.locations.push(self.location());
        }
        out
    }

    fn location(&mut self) -> SmolStr {
        let (token, _) = self.expect(Kind::Name);
        if !LOCATIONS.contains(&token.value.as_str()) {
            self.unexpected_token(&token);
            return SmolStr::default();
        }
        token.value
    }
}
