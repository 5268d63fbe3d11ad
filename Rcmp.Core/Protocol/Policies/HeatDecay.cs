namespace Rcmp.Protocol;

/// <summary>Exponentially decayed counts.</summary>
internal static class HeatDecay
{
    /// <summary>The heat after <paramref name="elapsedNs"/>, in which <paramref name="accesses"/> were counted.</summary>
    public static double Next(double heat, long elapsedNs, long halfLifeNs, long accesses) =>
        (heat * double.Exp2(-(double)long.Max(0, elapsedNs) / halfLifeNs)) + accesses;
}
