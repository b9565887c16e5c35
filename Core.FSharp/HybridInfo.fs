namespace Hybrid.Core

open System.Reflection

/// <summary>What this build of Hybrid says about itself.</summary>
[<AbstractClass; Sealed>]
type HybridInfo =

    /// <summary>The version of the package this assembly belongs to, for example <c>0.1.0</c>.</summary>
    static member Version: string =
        match typeof<HybridInfo>.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>() with
        | null -> "unknown"
        | attribute -> attribute.InformationalVersion
