namespace Hybrid.Core.Checking

open System
open System.Collections.Generic

module internal Diagnosing =
    let explain (_: Evidence) : IReadOnlyList<Finding> = Array.empty
