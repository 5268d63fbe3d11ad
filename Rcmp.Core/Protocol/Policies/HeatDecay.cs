namespace Rcmp.Protocol;

/// <summary>Exponentially decayed counts.</summary>
internal static class HeatDecay
{
    // No decision tells less than half an access from none, and most pages are cold: they cost no power function.
    private const double Negligible = 1.0 / 1024;

    /// <summary>The heat after <paramref name="elapsedNs"/>, in which <paramref name="accesses"/> were counted.</summary>
    public static double Next(double heat, long elapsedNs, long halfLifeNs, long accesses) =>
        (heat < Negligible ? 0 : heat * double.Exp2(-(double)long.Max(0, elapsedNs) / halfLifeNs)) + accesses;
}
