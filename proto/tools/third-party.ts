/**
 * Writes proto/third_party, the .proto files that ours import, from npm packages: google.rpc from
 * google-gax, grpc.health from grpc-health-check, and buf.validate rendered from the descriptor
 * inside @bufbuild/protovalidate, which ships no .proto file. They are in git, so that a clone
 * needs no npm to make stubs; `--check` writes nothing and fails where they differ from those of
 * the packages.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  ScalarType,
} from "@bufbuild/protobuf";
import { file_buf_validate_validate as validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const target = join(import.meta.dirname, "../third_party");
const checks = process.argv.includes("--check");
const packages = join(import.meta.dirname, "../../node_modules");

function typeName(field: DescField | DescExtension): string {
  if (field.fieldKind === "map") {
    const value =
      field.mapKind === "scalar"
        ? ScalarType[field.scalar]
        : (field.message ?? field.enum)?.typeName;
    return `map<${ScalarType[field.mapKey].toLowerCase()}, ${value?.toLowerCase()}>`;
  }
  if (field.message) return `.${field.message.typeName}`;
  if (field.enum) return `.${field.enum.typeName}`;
  return ScalarType[field.scalar ?? ScalarType.STRING].toLowerCase();
}

function renderField(field: DescField | DescExtension, inOneof = false): string {
  const label =
    inOneof || field.fieldKind === "map"
      ? ""
      : field.fieldKind === "list"
        ? "repeated "
        : "optional ";
  return `${label}${typeName(field)} ${field.name} = ${field.number};`;
}

function renderEnum(desc: DescEnum): string {
  const values = desc.values.map((value) => `${value.name} = ${value.number};`);
  return renderBlock(`enum ${desc.name}`, values);
}

function renderBlock(head: string, lines: readonly string[]): string {
  return `${head} {\n${lines.join("\n")}\n}`;
}

function renderMessage(desc: DescMessage): string {
  const oneofs = desc.oneofs.map((oneof) => {
    const fields = oneof.fields.map((field) => renderField(field, true));
    return renderBlock(`oneof ${oneof.name}`, fields);
  });
  const fields = desc.fields
    .filter((field) => field.oneof === undefined)
    .map((field) => renderField(field));
  const extensions = desc.proto.extensionRange.map((range) => `extensions ${range.start} to max;`);
  const nested = [...desc.nestedEnums.map(renderEnum), ...desc.nestedMessages.map(renderMessage)];
  const parts = [...nested, ...oneofs, ...fields, ...extensions];
  return renderBlock(`message ${desc.name}`, parts);
}

function renderValidate(): string {
  const imports = validate.dependencies.map((file) => `import "${file.name}.proto";`);
  const extensions = validate.extensions.map(
    (extension) => `extend .${extension.extendee.typeName} {\n${renderField(extension)}\n}`,
  );
  return [
    "// Rendered by proto/tools/third-party.ts from the descriptor in @bufbuild/protovalidate " +
      "(Apache-2.0, Buf Technologies),",
    "// without the expressions of its own rules, which every runtime brings itself.",
    'syntax = "proto2";',
    `package ${validate.proto.package};`,
    ...imports,
    ...fileOptions(),
    ...validate.enums.map(renderEnum),
    ...validate.messages.map(renderMessage),
    ...extensions,
    "",
  ].join("\n");
}

// The options that set the package of generated stubs: without them a language generates a second
// copy of the same messages.
function fileOptions(): string[] {
  const { goPackage, javaPackage, javaOuterClassname, javaMultipleFiles } =
    validate.proto.options ?? {};
  return [
    `option go_package = "${goPackage}";`,
    `option java_multiple_files = ${javaMultipleFiles};`,
    `option java_outer_classname = "${javaOuterClassname}";`,
    `option java_package = "${javaPackage}";`,
  ];
}

/** Writes changed files only: concurrent checks read these files. */
function place(path: string, text: string): void {
  const file = join(target, path);
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  if (checks) {
    console.error(`proto/third_party/${path} is not what the package has: npm run generate`);
    process.exitCode = 1;
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function copy(path: string, from: string): void {
  place(path, readFileSync(join(packages, from), "utf8"));
}

place("buf/validate/validate.proto", renderValidate());
for (const name of ["error_details", "status", "code"]) {
  copy(`google/rpc/${name}.proto`, `google-gax/build/protos/google/rpc/${name}.proto`);
}
copy("grpc/health/v1/health.proto", "grpc-health-check/proto/health/v1/health.proto");
