using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using Hybrid.Core;

namespace Hybrid.Layers;

/// <summary>
/// What a module is made of: cells and modules in its instance fields, base class first and in the order of declaration, lists by index,
/// dictionaries in the order of their keys.
/// </summary>
internal static class ModuleStructure
{
    private static readonly ConcurrentDictionary<Type, Member[]> Members = new();
    private static readonly ConcurrentDictionary<Type, bool> Fixed = new();

    /// <summary>The cells and modules that a module holds itself, with their names; one that is held twice comes twice.</summary>
    public static List<(string Name, object Part)> Parts(Module module)
    {
        var parts = new List<(string, object)>();
        foreach (var member in MembersOf(module.GetType()))
            Add(parts, member.Name, member.Field.GetValue(module));
        return parts;
    }

    /// <summary>
    /// The parameters of a module and, unless told, of all modules in it, each once: what every forward pass asks for, so that it makes
    /// no names.
    /// </summary>
    public static List<Cell> Parameters(Module root, bool own = false)
    {
        var found = new List<Cell>();
        var seen = new List<Module>();
        Walk(root);
        return found;

        void Walk(Module module)
        {
            // Networks have few modules and parameters: looking through a short list is quicker than hashing.
            if (ContainsReference(seen, module))
                return;
            seen.Add(module);
            foreach (var member in MembersOf(module.GetType()))
                Visit(member.Field.GetValue(module));
        }

        void Visit(object? value)
        {
            switch (value)
            {
                case Cell cell:
                    if (cell.IsParameter && !ContainsReference(found, cell))
                        found.Add(cell);
                    break;
                case Module module:
                    if (!own)
                        Walk(module);
                    break;
                case Module[] modules:
                    foreach (var module in modules)
                        Visit(module);
                    break;
                case null:
                    break;
                default:
                    var parts = new List<(string Name, object Part)>();
                    Add(parts, "", value);
                    foreach (var (_, part) in parts)
                        Visit(part);
                    break;
            }
        }
    }

    private static bool ContainsReference<T>(List<T> items, T item)
        where T : class
    {
        foreach (var other in items)
        {
            if (ReferenceEquals(other, item))
                return true;
        }
        return false;
    }

    /// <summary>
    /// The cells of a module and of all modules in it, by name such as <c>0.weight</c>; each cell and module once, where it is met first.
    /// </summary>
    /// <exception cref="CellException">Two different cells have one name.</exception>
    public static List<(string Name, Cell Cell)> Cells(Module root)
    {
        var found = new List<(string, Cell)>();
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance) { root };
        Walk(root, "");
        return found;

        void Walk(Module module, string prefix)
        {
            foreach (var (name, part) in Parts(module))
            {
                if (!seen.Add(part))
                    continue;
                if (part is Cell cell)
                    found.Add((prefix + name, cell));
                else
                    Walk((Module)part, name.Length == 0 ? prefix : $"{prefix}{name}.");
            }
        }
    }

    /// <summary>Whether modules of a type hold the same cells for ever, and no modules.</summary>
    public static bool IsFixed(Type type) =>
        Fixed.GetOrAdd(type, static t => MembersOf(t).All(member => member.Field.IsInitOnly && member.Field.FieldType == typeof(Cell)));

    /// <summary>The fields of a type that may hold cells or modules.</summary>
    public static Member[] MembersOf(Type type) => Members.GetOrAdd(type, static t => [.. Find(t)]);

    private static IEnumerable<Member> Find(Type type)
    {
        if (type.BaseType is null || type == typeof(Module))
            yield break;
        foreach (var member in MembersOf(type.BaseType))
            yield return member;
        const BindingFlags flags = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        foreach (var field in type.GetFields(flags).OrderBy(field => field.MetadataToken))
        {
            if (MayHold(field.FieldType))
                yield return new Member(NameOf(type, field), field);
        }
    }

    // Backing fields are called <Weight>k__BackingField (C#) or Weight@ (F#), captured constructor parameters <weight>P.
    private static string NameOf(Type type, FieldInfo field)
    {
        var name = field.Name;
        if (name.StartsWith('<') && name.IndexOf('>') is > 1 and var end)
            name = name[1..end];
        name = name.TrimEnd('@');
        const BindingFlags flags = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        var own = field.GetCustomAttribute<StateNameAttribute>() ?? type.GetProperty(name, flags)?.GetCustomAttribute<StateNameAttribute>();
        return own?.Name ?? Text.SnakeCase(name.TrimStart('_'));
    }

    /// <summary>Whether a value of this static type can be a cell, a module or a collection of them.</summary>
    private static bool MayHold(Type type)
    {
        if (type == typeof(Cell) || typeof(Module).IsAssignableFrom(type))
            return true;
        if (type.IsValueType || type == typeof(string) || type == typeof(Tensor) || typeof(Delegate).IsAssignableFrom(type))
            return IsImmutableArray(type) && MayHold(type.GetGenericArguments()[0]);
        if (type.IsArray)
            return MayHold(type.GetElementType()!);
        return type.IsInterface || type == typeof(object) || IsCollection(type);
    }

    private static bool IsImmutableArray(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(System.Collections.Immutable.ImmutableArray<>);

    /// <summary>Whether a type is a finite collection whose elements can be cells or modules; nothing else is ever enumerated.</summary>
    private static bool IsCollection(Type type) =>
        typeof(ICollection).IsAssignableFrom(type)
        || type.GetInterfaces()
            .Append(type)
            .Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IReadOnlyCollection<>) && MayHoldElement(i.GetGenericArguments()[0]));

    private static bool MayHoldElement(Type type) =>
        MayHold(type) || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>) && MayHold(type.GetGenericArguments()[1]));

    private static void Add(List<(string, object)> parts, string name, object? value)
    {
        switch (value)
        {
            case null or string:
                break;
            case Cell or Module:
                parts.Add((name, value));
                break;
            case IDictionary dictionary:
                var keys = dictionary.Keys.Cast<object>().Select(key => (Text: Key(key), Key: key));
                foreach (var (text, key) in keys.OrderBy(pair => pair.Text, StringComparer.Ordinal))
                    Add(parts, Join(name, text), dictionary[key]);
                break;
            case IEnumerable items when IsCollection(value.GetType()):
                var index = 0;
                foreach (var item in items)
                    Add(parts, Join(name, Text.Number(index++)), item);
                break;
        }
    }

    private static string Key(object key) => Convert.ToString(key, System.Globalization.CultureInfo.InvariantCulture) ?? "";

    private static string Join(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";

    /// <summary>A field that may hold cells or modules, and its name in a state dict.</summary>
    public sealed record Member(string Name, FieldInfo Field);
}
