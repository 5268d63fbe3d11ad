namespace Rcmp.Regions;

/// <summary>A mapped region.</summary>
internal sealed unsafe class Region : IDisposable
{
    public RegionLayout Layout => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
