/** Connect's declarations name this DOM type, which Node's declarations do not make global. */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
