namespace Rcmp.Runtime.Embedded;

/// <summary>Where an embedded pool's parts are, for tests on real devices: by default files and a fabric of its own.</summary>
internal sealed record EmbeddedPlaces
{
    /// <summary>A device that the first rack formats as its region.</summary>
    public string? Device { get; init; }

    /// <summary>The fabric address of every rack, with port 0, such as <c>verbs://10.77.0.1:0</c>.</summary>
    public string? Fabric { get; init; }
}
