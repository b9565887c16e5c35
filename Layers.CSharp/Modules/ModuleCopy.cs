using System.Collections;
using Hybrid.Core;
using Hybrid.Kernels;

namespace Hybrid.Layers;

/// <summary>Copies a module and everything in it, each cell and module once, so that what is shared stays shared.</summary>
/// <param name="type">The element type of floating-point cells in the copy; null for that of the original.</param>
internal sealed class ModuleCopy(ElementType? type)
{
    private readonly Dictionary<object, object> copies = new(ReferenceEqualityComparer.Instance);

    /// <summary>The copy of a module.</summary>
    public Module Of(Module module)
    {
        if (copies.TryGetValue(module, out var known))
            return (Module)known;
        var copy = module.ShallowCopy();
        copies[module] = copy;
        foreach (var member in ModuleStructure.MembersOf(module.GetType()))
            member.Field.SetValue(copy, OfValue(member.Field.GetValue(module)));
        return copy;
    }

    private object? OfValue(object? value) =>
        value switch
        {
            Cell cell => OfCell(cell),
            Module module => Of(module),
            string or null => value,
            Array array => OfArray(array),
            IEnumerable items when Holds(items) => OfCollection(items),
            _ => value,
        };

    private Cell OfCell(Cell cell)
    {
        if (copies.TryGetValue(cell, out var known))
            return (Cell)known;
        var value = cell.Value.Detach();
        if (type is { } wanted && cell.DType <= ElementType.Float64)
            value = value.To(wanted);
        var copy = new Cell(cell.Name, value, cell.IsParameter) { Trainable = cell.Trainable };
        copies[cell] = copy;
        return copy;
    }

    private Array OfArray(Array array)
    {
        var copy = (Array)array.Clone();
        for (var i = 0; i < copy.Length && copy.Rank == 1; i++)
            copy.SetValue(OfValue(copy.GetValue(i)), i);
        return copy;
    }

    private static bool Holds(IEnumerable items) => items is ICollection && items.Cast<object?>().Any(HoldsItem);

    private static bool HoldsItem(object? item) =>
        item switch
        {
            Cell or Module => true,
            string or null => false,
            DictionaryEntry entry => HoldsItem(entry.Value),
            IEnumerable inner => Holds(inner),
            _ => item.GetType() is { IsGenericType: true } t
                && t.GetGenericTypeDefinition() == typeof(KeyValuePair<,>)
                && HoldsItem(t.GetProperty("Value")!.GetValue(item)),
        };

    private object OfCollection(IEnumerable items)
    {
        if (copies.TryGetValue(items, out var known))
            return known;
        var kind = items.GetType();
        object copy = items switch
        {
            IDictionary { IsReadOnly: false } => Activator.CreateInstance(kind)!,
            IList { IsReadOnly: false, IsFixedSize: false } when kind.GetConstructor([]) is not null => Activator.CreateInstance(kind)!,
            _ => throw new NotSupportedException($"Cannot copy modules in a {kind}: hold them in an array, a List or a Dictionary."),
        };
        copies[items] = copy;
        if (items is IDictionary dictionary)
        {
            foreach (DictionaryEntry entry in dictionary)
                ((IDictionary)copy).Add(entry.Key, OfValue(entry.Value));
        }
        else
        {
            foreach (var item in items)
                ((IList)copy).Add(OfValue(item));
        }
        return copy;
    }
}
